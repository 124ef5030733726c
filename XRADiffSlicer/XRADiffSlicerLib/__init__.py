"""The Slicer layer of XRADiffSlicer: the only code here that imports slicer, qt or ctk."""
