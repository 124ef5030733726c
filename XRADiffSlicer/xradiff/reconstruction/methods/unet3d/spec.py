"""What is known about the method before its code is loaded."""

from ...spec import MethodSpec

SPEC = MethodSpec(
    name="unet3d",
    title="3D U-Net",
    description="A 3D U-Net that turns the backprojection of the masks into a tree in one pass: the supervised "
    "baseline of XRA-Diff.",
    reference="Lau et al. 2025, XRA-Diff: Guided diffusion as a refinement for backprojected coronary angiography "
    "X-ray images, sec. 2.7",
    entry_point="method:Unet3d",
    config="config:Unet3dConfig",
    needs=("torch", "safetensors"),
    weights=("unet3d_both",),
    published_weights="https://zenodo.org/records/17413997",
    seconds_cpu=4.0,
    seconds_gpu=0.1,
    memory_gb=1.0,
    training="training:Unet3dTraining",
)
