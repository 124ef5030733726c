"""XRA-Diff: 3D coronary arteries from two or more X-ray angiograms.

The core of the XRADiffSlicer extension, importable without Slicer and Qt. `pipeline.py` shows
the whole flow on one screen; `python -m xradiff --help` is the same from a shell.
Research use only, not a medical device.
"""

__version__ = "0.1.0"
