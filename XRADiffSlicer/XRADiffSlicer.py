"""XRADiffSlicer: coronary arteries in 3D from X-ray angiograms. Only what Slicer looks for is in this file."""

import sys

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin
from XRADiffSlicerLib.Logic import ReconstructionLogic


class XRADiffSlicer(ScriptedLoadableModule):
    """The module card."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("XRA-Diff Coronary Reconstruction")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        parent.dependencies = ["Segmentations", "Sequences", "SampleData"]
        parent.contributors = ["XRADiffSlicer contributors"]
        parent.helpText = _(
            "Reconstructs the coronary artery tree in 3D from two X-ray angiograms: probability volume, segmentation, "
            "surface, and a report on how well they fit the images. Pick two vessel masks (or segmentations drawn on "
            "angiograms), check the C-arm geometry, press Apply. Samples: File, Download Sample Data, XRADiffSlicer."
            "<p><b>Research use only, not a medical device.</b> Images stay on this computer.</p>"
            '<p><a href="https://github.com/XRADiffSlicer/SlicerXRADiffSlicer">Documentation and source</a></p>'
        )
        parent.acknowledgementText = _(
            "After D. Lau, H. Malinowski, J. Szyjut, T. Dziubich: XRA-Diff: Guided diffusion as a refinement for "
            "backprojected coronary angiography X-ray images (2025). The clinical pair in Sample Data is theirs "
            '(<a href="https://github.com/cvlab-ai/xra-diff">github.com/cvlab-ai/xra-diff</a>, MIT licence).'
        )
        slicer.app.connect("startupCompleted()", onStartup)


def onStartup():
    """Add the samples to the Sample Data module and our layouts; come back after a restart that installed packages."""
    from XRADiffSlicerLib.Application import Application
    from XRADiffSlicerLib.Installation import interruptedMethod
    from XRADiffSlicerLib.SampleData import registerSamples

    registerSamples()
    Application().registerLayouts()
    if interruptedMethod(Application()) and slicer.util.mainWindow() is not None:
        slicer.util.selectModule("XRADiffSlicer")


class XRADiffSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Life cycle of the panel; what the panel does is in XRADiffSlicerLib.Widget."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        super().setup()
        from XRADiffSlicerLib.Sections import loadForm
        from XRADiffSlicerLib.Widget import Panel

        form = loadForm(slicer.util.loadUI, self.resourcePath, slicer.mrmlScene)
        self.layout.addWidget(form)
        self.logic = XRADiffSlicerLogic()
        self.panel = Panel(slicer.util.childWidgetVariables(form), self.logic)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.onNodeRemoved)
        self.enter()

    def enter(self):
        """Show the parameters of the scene."""
        if self.panel is not None and self.panel.parameters is None:
            self.panel.setParameters(self.logic.getParameterNode())

    def exit(self):
        """Let go of the parameters; a reconstruction that is running goes on."""
        if self.panel is not None and not self.logic.running:
            self.panel.setParameters(None)

    def cleanup(self):
        """Stop what runs and delete temporary files; the module is unloaded or the application closes."""
        self.removeObservers()
        if self.panel is not None:
            self.logic.removeTemporaryFiles()
            self.panel.setParameters(None)

    def onSceneStartClose(self, _caller, _event):
        """A closed scene has no inputs: stop."""
        self.logic.removeTemporaryFiles()
        self.panel.setParameters(None)

    def onSceneEndClose(self, _caller, _event):
        """Start afresh in the new scene."""
        if self.parent.isEntered:
            self.panel.setParameters(self.logic.getParameterNode())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeRemoved(self, _caller, _event, node):
        """Start afresh where the parameters themselves were deleted; what runs goes on."""
        if self.panel.parameters is not None and self.panel.parameters.parameterNode is node:
            self.panel.setParameters(self.logic.getParameterNode())

    def onReload(self):
        """Forget our packages, so that the edited files are read."""
        self.cleanup()
        for name in [name for name in sys.modules if name.partition(".")[0] in ("XRADiffSlicerLib", "xradiff")]:
            del sys.modules[name]
        super().onReload()


class XRADiffSlicerLogic(ReconstructionLogic, ScriptedLoadableModuleLogic):
    """`XRADiffSlicerLogic().reconstruct([viewA, viewB])`; see XRADiffSlicerLib.Logic."""

    def __init__(self, launcher=None):
        ScriptedLoadableModuleLogic.__init__(self)
        ReconstructionLogic.__init__(self, launcher)

    def getParameterNode(self):
        """Return the typed parameters of the panel."""
        from XRADiffSlicerLib.Parameters import Parameters

        return Parameters(super().getParameterNode())


class XRADiffSlicerTest(ScriptedLoadableModuleTest):
    """Self-test: fast, no network, installs nothing; the steps are in XRADiffSlicerLib.SelfTest."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        from XRADiffSlicerLib import SelfTest

        for step in SelfTest.STEPS:
            self.setUp()
            self.delayDisplay(f"{step.__name__}...")
            step(XRADiffSlicerLogic())
        self.delayDisplay("Test passed")
