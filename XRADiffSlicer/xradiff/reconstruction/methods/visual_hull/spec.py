"""What is known about the visual hull before its code is loaded."""

from ...spec import MethodSpec

SPEC = MethodSpec(
    name="visual_hull",
    title="Visual hull",
    description="Everything that projects onto the vessel masks of all views: fast, without weights, "
    "complete, but with false branches where vessels cross.",
    reference="Laurentini 1994, doi:10.1109/34.273735; XRA-Diff (Lau et al. 2025), eq. 3 and 11",
    entry_point="method:VisualHull",
    config="config:VisualHullConfig",
    seconds_cpu=1.0,
    memory_gb=0.3,
)
