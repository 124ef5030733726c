"""What is known about the method before its code is loaded."""

from ...spec import MethodSpec

SPEC = MethodSpec(
    name="unet3d_diffusion",
    title="XRA-Diff (guided diffusion)",
    description="The published XRA-Diff: a 3D U-Net diffusion model, guided by the views and their backprojection, "
    "turns the backprojection into a tree.",
    reference="Lau et al. 2025, XRA-Diff: Guided diffusion as a refinement for backprojected coronary angiography "
    "X-ray images, sec. 2.3 to 2.6",
    entry_point="method:Unet3dDiffusion",
    config="config:Unet3dDiffusionConfig",
    needs=("torch", "diffusers", "safetensors"),
    weights=("unet3d_diffusion_both",),
    published_weights="https://zenodo.org/records/17413997",
    stochastic=True,
    seconds_cpu=3.0,
    seconds_gpu=2.71,
    gpu_source="the published network on an H100, table 6 of its paper; not measured by this project",
    memory_gb=1.0,
    training="trainable:DiffusionTrainable",
)
