"""What the panel remembers in the scene; a saved scene reopens with it."""

import enum
from typing import Annotated, Any, Union

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLModelNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSequenceNode,
    vtkMRMLTableNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper, parameterPack

# Slicer recognizes typing.Union with None in the last place, not the | notation.
ViewNode = Union[  # noqa: UP007
    vtkMRMLSequenceNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLVectorVolumeNode,
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLSegmentationNode,
    None,
]
MaskNode = Union[vtkMRMLSegmentationNode, vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007


@parameterPack
class ViewGeometry:
    """The five DICOM numbers of a view as the panel shows them.

    The lowest value of each means that it is not known yet."""

    primaryDeg: Annotated[float, WithinRange(-181, 180)] = -181.0
    secondaryDeg: Annotated[float, WithinRange(-91, 90)] = -91.0
    sidMm: Annotated[float, WithinRange(0, 3000)] = 0.0
    sodMm: Annotated[float, WithinRange(0, 3000)] = 0.0
    rowSpacingMm: Annotated[float, WithinRange(0, 10)] = 0.0
    columnSpacingMm: Annotated[float, WithinRange(0, 10)] = 0.0


class Side(enum.Enum):
    """Coronary side of the views; the value is the core's word."""

    AUTO = "auto"
    LEFT = "left"
    RIGHT = "right"

    def label(self) -> str:
        """Return the words on the panel."""
        return {"auto": _("Automatic"), "left": _("Left coronary artery"), "right": _("Right coronary artery")}[
            self.value
        ]


class Device(enum.Enum):
    """Where a method runs; the value is the core's word."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"

    def label(self) -> str:
        """Return the words on the panel."""
        return {"auto": _("Automatic"), "cpu": _("CPU"), "cuda": _("CUDA (NVIDIA GPU)")}[self.value]


class SyntheticSide(enum.Enum):
    """Coronary side of a synthetic case; the value is the core's word."""

    RIGHT = "right"
    LEFT = "left"

    def label(self) -> str:
        """Return the words on the panel."""
        return {"right": _("Right coronary artery"), "left": _("Left coronary artery")}[self.value]


class SyntheticPoses(enum.Enum):
    """Where the C-arm stands in a synthetic case; the value is the core's word."""

    CLINICAL = "clinical"
    XRADIFF = "xradiff"
    AUTOCAR = "autocar"

    def label(self) -> str:
        """Return the words on the panel."""
        return {"clinical": _("Clinical routine"), "xradiff": "XRA-Diff", "autocar": "AutoCAR"}[self.value]


class SyntheticMotion(enum.Enum):
    """What moves between the views of a synthetic case; the value is the core's word."""

    NONE = "none"
    RIGID = "rigid"
    HEART = "heart"
    IMAGE = "image"

    def label(self) -> str:
        """Return the words on the panel."""
        return {
            "none": _("None"),
            "rigid": _("Breathing and table"),
            "heart": _("Heart, breathing and table"),
            "image": _("Mask of the second view shifted"),
        }[self.value]


class SurfaceColoring(enum.Enum):
    """What the color of the surface shows in 3D."""

    PLAIN = "plain"
    UNCERTAINTY = "uncertainty"

    def label(self) -> str:
        """Return the words on the panel."""
        return {"plain": _("One color"), "uncertainty": _("Uncertainty")}[self.value]


@parameterNodeWrapper
class Parameters:
    """Inputs, settings and outputs of the panel.

    `viewN`, `maskN` and `geometryN` belong together, N from 0 to `viewCount` - 1; the view's node keeps where a
    geometry came from and which mask belongs to which frame.
    """

    viewCount: Annotated[int, WithinRange(2, 4)] = 2
    view0: ViewNode
    view1: ViewNode
    view2: ViewNode
    view3: ViewNode
    mask0: MaskNode
    mask1: MaskNode
    mask2: MaskNode
    mask3: MaskNode
    geometry0: ViewGeometry
    geometry1: ViewGeometry
    geometry2: ViewGeometry
    geometry3: ViewGeometry
    epipolarLine: bool = False
    side: Side = Side.AUTO
    method: str = "sparse_diffusion"
    methodSettings: str = ""  # JSON: {method: {setting: value}} of the settings that differ from their defaults
    device: Device = Device.AUTO
    spacingMm: Annotated[float, WithinRange(0.1, 5)] = 0.5
    calibrate: bool = True
    outputSegmentation: vtkMRMLSegmentationNode
    outputProbability: vtkMRMLScalarVolumeNode
    outputModel: vtkMRMLModelNode
    outputTable: vtkMRMLTableNode
    overlayOpacity: Annotated[float, WithinRange(0, 1)] = 0.6
    surfaceColoring: SurfaceColoring = SurfaceColoring.PLAIN
    virtualPrimaryDeg: Annotated[float, WithinRange(-180, 180)] = 0.0
    virtualSecondaryDeg: Annotated[float, WithinRange(-90, 90)] = 0.0
    syntheticSide: SyntheticSide = SyntheticSide.RIGHT
    syntheticPoses: SyntheticPoses = SyntheticPoses.CLINICAL
    syntheticMotion: SyntheticMotion = SyntheticMotion.NONE
    syntheticCorruption: Annotated[float, WithinRange(0, 1)] = 0.0
    syntheticFrames: Annotated[int, WithinRange(0, 200)] = 0
    syntheticSeed: Annotated[int, WithinRange(0, 999999)] = 0


def syntheticOptions(parameters: Any) -> dict[str, Any]:
    """Return the synthetic case that the panel asks for, as `Logic.startSyntheticCase` takes it."""
    return {
        "side": parameters.syntheticSide.value,
        "poses": parameters.syntheticPoses.value,
        "motion": parameters.syntheticMotion.value,
        "corruption": parameters.syntheticCorruption,
        "frames": parameters.syntheticFrames,
        "seed": parameters.syntheticSeed,
    }
