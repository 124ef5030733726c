"""Stage 10, results -> files that people exchange, and the report. Loads VTK and SimpleITK when it writes."""

from .centreline import read_centreline_vtp, write_centreline_vtp
from .content import DISCLAIMER, ResultFolderContent
from .folder import check_result_folder, write_result_folder
from .meshes import write_stl, write_vtp
from .tables import RUN_KIND, read_run

__all__ = [
    "DISCLAIMER",
    "RUN_KIND",
    "ResultFolderContent",
    "check_result_folder",
    "read_centreline_vtp",
    "read_run",
    "write_centreline_vtp",
    "write_result_folder",
    "write_stl",
    "write_vtp",
]
