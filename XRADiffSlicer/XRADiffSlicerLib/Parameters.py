"""What the panel remembers in the scene; a saved scene reopens with it."""

from typing import Annotated, Union

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLModelNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper, parameterPack

# Slicer recognizes typing.Union with None in the last place, not the | notation.
ViewNode = Union[  # noqa: UP007
    vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode, vtkMRMLLabelMapVolumeNode, vtkMRMLSegmentationNode, None
]


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


@parameterNodeWrapper
class Parameters:
    """Inputs, settings and outputs of the panel.

    `viewN` and `geometryN` belong together; where a geometry came from is kept on the view's node.
    """

    view0: ViewNode
    view1: ViewNode
    geometry0: ViewGeometry
    geometry1: ViewGeometry
    method: str = "visual_hull"
    spacingMm: Annotated[float, WithinRange(0.1, 5)] = 0.5
    calibrate: bool = True
    outputSegmentation: vtkMRMLSegmentationNode
    outputProbability: vtkMRMLScalarVolumeNode
    outputModel: vtkMRMLModelNode
    outputTable: vtkMRMLTableNode
