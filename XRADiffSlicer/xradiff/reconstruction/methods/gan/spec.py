"""What is known about the method before its code is loaded."""

from ...spec import MethodSpec

SPEC = MethodSpec(
    name="gan",
    title="Wasserstein GAN",
    description="A generator that turns the backprojection of the masks into a tree in one pass, trained against a "
    "critic: the adversarial baseline of XRA-Diff.",
    reference="Wang et al. 2025, DeepCA: Deep learning-based 3D coronary artery tree reconstruction from two 2D "
    "non-simultaneous X-ray angiography projections; Lau et al. 2025, XRA-Diff, sec. 2.7",
    entry_point="method:Gan",
    config="config:GanConfig",
    needs=("torch", "safetensors"),
    weights=("gan_both",),
    published_weights="https://zenodo.org/records/17413997",
    seconds_cpu=4.0,
    seconds_gpu=0.1,
    memory_gb=1.0,
    training="training:GanTraining",
)
