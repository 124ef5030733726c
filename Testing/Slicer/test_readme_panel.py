"""Every statement about the panel in README.md has a test or a picture behind it, and they are named here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = {path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "Testing").glob("*/test_*.py")}

# Words of the README -> what proves them: TEST_FILE::TEST, or a picture in Screenshots.
PROOFS = {
    "Synthetic coronary pair": ["test_module.py::test_samples_are_registered_with_addresses_and_checksums"],
    "bundled, no network": ["test_module.py::test_self_test_passes"],
    "load angiogram runs (XA DICOM)": [
        "test_runs_and_masks.py::test_header_in_the_database_gives_geometry_times_and_file"
    ],
    "images, masks or segmentations drawn on angiograms": [
        "test_views_and_geometry.py::test_segmentation_has_the_geometry_of_its_image",
        "test_input_flow.py::test_bundled_case",
    ],
    "category *Cardiac*": ["test_module.py::test_module_card"],
    "Pick the images of two views": ["test_input_flow.py::test_bundled_case"],
    "*Add view* for a third and fourth": ["test_panel_qt.py::test_views_can_be_added_swapped_and_removed"],
    "taken from the DICOM database": ["test_views_and_geometry.py::test_geometry_from_the_dicom_database"],
    "else type it in": ["test_widget.py::test_geometry_can_be_entered_number_by_number"],
    "load a JSON file": ["test_widget.py::test_geometry_from_a_file"],
    "where each number came from": ["test_widget.py::test_entering_a_number_keeps_it_with_the_image"],
    "shows the contrast of each frame": ["test_pictures.py::test_curve_rises_where_contrast_does_and_marks_the_frame"],
    "well-filled frames at the same heart phase": [
        "test_runs_and_masks.py::test_worker_proposes_frames_and_segments_them", "panel-runs.png"
    ],
    "another frame is chosen with the slider": ["test_panel_qt.py::test_from_grey_runs_to_apply_with_clicks"],
    "*Segment all* finds the vessels": ["test_input_flow.py::test_grey_runs_with_an_edited_mask"],
    "opens the mask in the Segment Editor": ["test_panel_qt.py::test_edit_opens_the_mask_or_an_empty_one"],
    "what you correct there is what is reconstructed": [
        "test_runs_and_masks.py::test_edited_mask_is_the_one_that_is_reconstructed"
    ],
    "Masks stay with their frame, in saved scenes, too": [
        "test_input_flow.py::test_saved_scene_reopens_with_frames_masks_and_geometry"
    ],
    "*Show* puts each view into a slice view": ["test_panel_qt.py::test_from_grey_runs_to_apply_with_clicks"],
    "the line on which the point under the cursor must lie": [
        "test_epipolar_line.py::test_the_same_point_lies_on_the_line",
        "test_epipolar_line.py::test_line_is_drawn_in_the_other_view_alone",
    ],
    "picks one vessel to reconstruct alone": ["test_vessel_and_side.py::test_marked_vessel_is_reconstructed_alone"],
    "click its start and its end": ["test_vessel_and_side.py::test_points_are_placed_by_slicers_own_place_mode"],
    "Mark the same vessel in every view": ["test_vessel_and_side.py::test_marks_of_both_views_go_to_the_run"],
    "lists the methods with the time and memory": [
        "test_widget.py::test_methods_come_from_the_registry", "test_pictures.py::test_cost_on_this_computer"
    ],
    "their settings": ["test_panel_qt.py::test_every_setting_of_every_method_has_a_widget_that_takes_its_default"],
    "why CUDA is not used": ["test_panel_qt.py::test_cost_and_device_are_told", "panel.png"],
    "which coronary artery the masks show": [
        "test_vessel_and_side.py::test_side_that_was_found_is_said_with_its_confidence",
        "test_vessel_and_side.py::test_worker_says_which_side_it_found",
    ],
    "where it is not clear it asks": ["test_vessel_and_side.py::test_user_is_asked_for_a_side_that_is_not_clear"],
    "A side that you choose overrules it": [
        "test_vessel_and_side.py::test_side_that_was_found_is_said_with_its_confidence"
    ],
    "*Apply*": ["test_panel_qt.py::test_whole_workflow_with_clicks"],
    "process of its own": ["test_logic.py::test_reconstruct_in_a_worker_process_gives_the_same"],
    "the button becomes *Cancel*": ["test_widget.py::test_apply_starts_and_becomes_cancel"],
    "the run looks at the masks": ["test_vessel_and_side.py::test_worker_says_which_side_it_found"],
    "warnings stand in the log, which can be copied": ["test_widget.py::test_result_is_shown_and_remembered"],
    "and in the report": ["test_export.py::test_the_whole_folder"],
    "what is left of a cancelled run is removed": ["test_worker_stages.py::test_cancel_at_each_stage_leaves_nothing"],
    "in a folder beside the first image": ["test_logic.py::test_outputs_lie_beside_the_input"],
    "a virtual C-arm beside one slice view per angiogram": [
        "test_result_views.py::test_layout_has_a_view_for_each_angiogram", "layout.png"
    ],
    "laid over its frame": ["test_result_views.py::test_overlay_lies_on_its_image_whichever_way_that_is_stored"],
    "blue where mask and result agree": [
        "test_result_views.py::test_overlay_says_where_mask_and_result_agree", "layout.png"
    ],
    "the drawn mask gives way to it": [
        "test_result_views.py::test_slice_view_draws_the_overlay_and_not_the_mask_below_it"
    ],
    "*Measurements* lists volume, surface area": [
        "test_result_views.py::test_measurements_are_those_of_the_sphere", "panel.png"
    ],
    "as an angiogram is displayed": ["test_result_views.py::test_camera_shows_the_angiogram"],
    "turn the virtual C-arm, which shows the silhouette": [
        "test_result_views.py::test_virtual_arm_at_a_view_draws_what_the_overlay_has"
    ],
    "can show their standard deviation": ["test_result_views.py::test_uncertainty_colors_the_surface"],
    "*Open report* shows the evidence": ["test_widget.py::test_result_is_shown_and_remembered"],
    "*Export* writes volumes, segments": ["test_result_views.py::test_export_writes_what_is_ticked"],
    "A saved scene opens with all of it": [
        "test_life_cycle.py::test_saved_result_opens_ready",
        "test_life_cycle.py::test_scene_saved_in_mid_work_opens_ready",
    ],
    "a random patient's tree whose 3D shape is known": [
        "test_synthetic_case.py::test_truth_projects_into_the_masks_and_a_flipped_one_does_not"
    ],
    "raw angiogram runs": ["test_synthetic_case.py::test_runs_are_sequences_with_times_phases_and_geometry"],
    "chooses the views": ["test_widget_synthetic.py::test_created_case_is_chosen_and_can_be_applied_at_once"],
    "reports the Dice with the truth": [
        "test_widget_synthetic.py::test_result_of_a_synthetic_case_is_compared_with_its_truth"
    ],
    "which packages and weights are there": [
        "test_installation.py::test_packages_are_listed_with_version_folder_size_and_licence", "panel.png"
    ],
    "verifies weights (SHA-256)": ["test_installation.py::test_weights_are_verified_in_a_worker_process"],
    "adds them from a file and removes what was added": [
        "test_installation.py::test_weights_buttons_start_the_worker"
    ],
    "asks before it installs": ["test_installation.py::test_missing_package_is_asked_for_without_replacing_slicers"],
    "Nothing of Slicer's is replaced": [
        "test_installation.py::test_missing_package_is_asked_for_without_replacing_slicers"
    ],
    "it comes back to this module": ["test_life_cycle.py::test_restart_for_an_installation_comes_back_to_the_module"],
    "the virtual C-arm at 0/0 and view 2": ["layout.png"],
    "drawn by `Testing/Slicer/layout_screenshot.py`": ["layout.png"],
    "makes a folder with the extension, `wheels/` and `weights/`": [
        "test_offline_package.py::test_wheels_are_those_that_the_panel_asks_for",
        "test_offline_package.py::test_weights_come_along_and_a_failure_of_pip_is_told",
    ],
    "choose the last two in *Weights and installation*": [
        "test_installation.py::test_folders_are_settings_of_the_user"
    ],
    "PyTorch then comes from the wheel folder": [
        "test_installation.py::test_wheel_folder_is_used_instead_of_the_network"
    ],
    "otherwise always from the extension *PyTorch*": ["test_installation.py::test_torch_comes_from_its_extension"],
}  # fmt: skip


def panelText():
    """The section of the README in one line, without pictures and numbers of steps."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## The panel\n")[2].partition("\n## ")[0]
    section = re.sub(r"!\[[^]]*\]\([^)]*\)", "", section)
    return " ".join(re.sub(r"^\s*(\d\.|-) ", "", line).strip() for line in section.splitlines() if line.strip())


def test_every_sentence_has_its_proof():
    text = panelText()
    assert [words for words in PROOFS if words not in text] == []
    sentences = [sentence for sentence in re.split(r"(?<=[.;]) ", text) if len(sentence.split()) > 2]
    assert len(sentences) > 30
    assert [sentence for sentence in sentences if not any(words in sentence for words in PROOFS)] == []


@pytest.mark.parametrize("proof", sorted({proof for proofs in PROOFS.values() for proof in proofs}))
def test_proof_is_there(proof):
    file, _colons, name = proof.partition("::")
    if name:
        assert re.search(rf"^def {name}\(", TESTS[file], re.MULTILINE), proof
    else:
        assert (REPOSITORY / "Screenshots" / file).is_file()
        assert f"Screenshots/{file}" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
