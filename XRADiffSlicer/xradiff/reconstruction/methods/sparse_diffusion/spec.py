"""What is known about the method before its code is loaded."""

from ...spec import MethodSpec

SPEC = MethodSpec(
    name="sparse_diffusion",
    title="Sparse XRA-Diff",
    description="XRA-Diff's guided diffusion on the voxels alone that all masks allow, at 0.5 mm: the default.",
    reference="Lau et al. 2025, XRA-Diff: Guided diffusion as a refinement for backprojected coronary angiography "
    "X-ray images; Graham et al. 2018, arXiv:1711.10275 (submanifold sparse convolution)",
    entry_point="method:SparseDiffusion",
    config="config:SparseDiffusionConfig",
    needs=("torch", "safetensors", "diffusers"),
    weights=("sparse_diffusion_both", "sparse_diffusion_coarse"),
    beside=("sparse_diffusion_coarse",),
    stochastic=True,
    seconds_cpu=3.0,
    seconds_gpu=0.2,
    memory_gb=1.5,
    training="training:SparseTraining",
)
