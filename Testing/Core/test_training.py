"""The training loop: interrupted or not, in one process or two, it gives the same numbers; and what it refuses."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

sys.path.append(str(Path(__file__).parent))
pytest.importorskip("accelerate")

from xradiff.cli import main
from xradiff.dataset import synthesize
from xradiff.datatypes import SparseVolume, VolumeGrid
from xradiff.errors import Cancelled, InputError
from xradiff.export.volumes import shared_box, write_volume
from xradiff.geometry import camera_of
from xradiff.geometry.epipolar import epipolar_normal
from xradiff.projection import MaskCone
from xradiff.quantification import dice
from xradiff.reconstruction import registry
from xradiff.reconstruction.backprojection import cube_around
from xradiff.reconstruction.methods.unet3d.recipe import Recipe
from xradiff.synthetic.case import CaseOptions, draw_case
from xradiff.synthetic.tubes import silhouette, tubes_of
from xradiff.training.batches import batch_stream, cases_of_step, make_example
from xradiff.training.cases import DatasetCases, GeneratedCases
from xradiff.training.config import TrainingConfig
from xradiff.training.loop import train
from xradiff.training.mixtures import MixedCases, aligned
from xradiff.training.networks import Networks
from xradiff.training.processes import Processes
from xradiff.training.truth import TreeTruth, VolumeTruth, read_truth
from xradiff.training.validation import dice_of
from xradiff.weights import open_weights

OPTIONS = CaseOptions(image_px=128)
CASES = GeneratedCases(OPTIONS, seed=5, count=10)
SMALL = {"size": 16, "spacing_mm": 7.0, "channels": "8,16", "layers_per_level": 1}


def config(**values):
    defaults = {"steps": 6, "batch": 2, "warmup": 1, "validation_cases": 2, "validate_every": 3}
    return TrainingConfig(**(defaults | {"checkpoint_every": 2, "device": "cpu"} | values))


def run(folder, progress=lambda fraction, message: None, source=CASES, **values):
    return train("unet3d", source, config(**values), folder, settings=dict(SMALL), progress=progress)


def weights(folder, name="last"):
    from safetensors.torch import load_file

    return load_file(folder / f"{name}.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def stop_after(step):
    def progress(fraction, message):
        if message.startswith(f"step {step} of"):
            raise Cancelled

    return progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 6 steps without a break."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder)
    return folder


# the loop


def test_interrupted_and_continued_gives_the_same_numbers(whole, tmp_path):
    with pytest.raises(Cancelled, match="cancelled after step 3 of 6; the same command goes on from there"):
        run(tmp_path, progress=stop_after(3))
    assert open_weights(tmp_path / "last.safetensors", "unet3d").recipe["channels"] == [8, 16]
    report = run(tmp_path)
    assert report.steps == 6
    for name in ("last", "best"):
        assert same(weights(whole, name), weights(tmp_path, name))
    states = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (whole, tmp_path)]
    assert same(states[0]["networks"]["module"], states[1]["networks"]["module"])
    moments = [state["networks"]["optimisers"]["network"]["state"] for state in states]
    assert all(same(moments[0][key], moments[1][key]) for key in moments[0])
    assert (whole / "log.jsonl").read_text() == (tmp_path / "log.jsonl").read_text()


def test_another_seed_gives_other_weights_and_training_changes_them(whole, tmp_path):
    run(tmp_path / "seed", seed=1)
    run(tmp_path / "short", steps=1)
    assert not same(weights(whole), weights(tmp_path / "seed"))
    assert not same(weights(whole), weights(tmp_path / "short"))


def test_worker_processes_change_nothing(whole, tmp_path):
    run(tmp_path, workers=1)
    assert same(weights(whole), weights(tmp_path))


def test_a_finished_run_is_left_alone_and_more_steps_go_on(whole, tmp_path):
    run(tmp_path, steps=2)
    before = (tmp_path / "checkpoint.pt").stat().st_mtime_ns
    assert run(tmp_path, steps=2).steps == 2
    assert (tmp_path / "checkpoint.pt").stat().st_mtime_ns == before
    assert run(tmp_path, steps=4).steps == 4


def test_what_is_in_the_folder(whole):
    record = json.loads((whole / "run.json").read_text())
    assert record["method"] == "unet3d" and record["data"]["cases"] == 10 and record["versions"]["torch"]
    entries = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [3, 6]
    assert all(0 <= entry["dice"] <= 1 and entry["loss"] > 0 for entry in entries)
    recipe = Recipe.from_json(open_weights(whole / "best.safetensors", "unet3d").recipe)
    assert recipe.size == 16 and "seed 0, Dice 0." in recipe.source
    assert not list(whole.glob("*.part"))


def test_training_learns(tmp_path):
    source = GeneratedCases(OPTIONS, seed=5, count=3)
    report = run(tmp_path, source=source, steps=40, validation_cases=1, average=0.9, validate_every=40)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    first = run(tmp_path / "first", source=source, steps=1, validation_cases=1)
    start = json.loads((tmp_path / "first" / "log.jsonl").read_text().splitlines()[0])["loss"]
    assert entries[-1]["loss"] < 0.9 * start
    assert report.best_dice >= report.dice >= 0 and first.steps == 1


def small_networks_after(steps, **values):
    """Return networks after some steps on one batch, and the weights after each step."""
    settings = config(**values)
    torch.manual_seed(0)
    trainable = registry.load_trainable(registry.method_spec("unet3d")).from_settings(dict(SMALL))
    networks, seen = Networks(trainable, settings, Processes(settings)), []
    example = make_example(CASES, trainable.example, 0)
    for step in range(steps):
        networks.step({name: tensor[None] for name, tensor in example.items()}, step)
        seen.append([parameter.detach().clone() for parameter in trainable.network.parameters()])
    return networks, seen


def test_what_is_saved_is_the_moving_average():
    """After two steps: decays min(0.9, 1/10) and min(0.9, 2/11)."""
    start, _ = small_networks_after(0)
    networks, (first, second) = small_networks_after(2, average=0.9)
    for mean, w0, w1, w2 in zip(networks.average.parameters(), start.average.parameters(), first, second, strict=True):
        after_one = 0.1 * w0 + 0.9 * w1
        torch.testing.assert_close(mean, 2 / 11 * after_one + 9 / 11 * w2)
    networks, seen = small_networks_after(1, average=0.0)
    assert all(torch.equal(mean, now) for mean, now in zip(networks.average.parameters(), seen[0], strict=True))


def test_long_gradients_are_shortened():
    def length(**values):
        networks, _ = small_networks_after(1, **values)
        return torch.cat([parameter.grad.flatten() for parameter in networks.trainable.network.parameters()]).norm()

    assert float(length(gradient_limit=1e-3)) == pytest.approx(1e-3, rel=1e-3)
    assert float(length(gradient_limit=1e6)) > 2e-3


def test_the_first_steps_are_small():
    """The learning rate of the first step of 9 warm-up steps is a tenth of the full one."""
    networks, _ = small_networks_after(1, warmup=9)
    assert networks._optimisers["network"].param_groups[0]["lr"] == pytest.approx(0.1 * Recipe().learning_rate)


def test_messages_tell_step_and_time_left(tmp_path):
    told = []
    run(tmp_path, progress=lambda fraction, message: told.append((fraction, message)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert any(message.startswith("step 4 of 6, loss") and message.endswith("s left") for _, message in told)


def test_sigterm_ends_the_run_after_its_step(tmp_path):
    def progress(fraction, message):
        if message.startswith("step 2 of"):
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Cancelled, match="cancelled after step [23] of 6"):
        run(tmp_path, progress=progress)
    assert signal.getsignal(signal.SIGTERM) is before
    assert (tmp_path / "checkpoint.pt").is_file()


def two_processes(repository, command):
    """Run `command` as the two processes of a run; return what each wrote to its output. Both must end well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = os.environ | {"PYTHONPATH": str(repository / "XRADiffSlicer"), "OMP_NUM_THREADS": "1"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    running = [
        subprocess.Popen(
            [sys.executable, *command], env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    ended = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], ended
    return [output for output, _ in ended]


def test_two_processes_equal_one_with_the_whole_batch(whole, tmp_path, repository):
    command = ["-m", "xradiff", "train", "unet3d", "--generate", "10", "--seed", "5", "--steps", "3"]
    command += ["--validation-cases", "2", "--device", "cpu", "--warmup", "1", "--progress", "json"]
    command += [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    two_processes(repository, [*command, "--out", str(tmp_path / "two")])
    source = GeneratedCases(CaseOptions(), seed=5, count=10)
    run(tmp_path / "one", source=source, seed=5, steps=3)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-4, atol=1e-5)


LAST_THREADS = """
from pathlib import Path
import torch
from xradiff.training.config import TrainingConfig
from xradiff.training.processes import Processes

processes = Processes(TrainingConfig(device="cpu", batch=2))
torch.optim.AdamW(torch.nn.Linear(2, 2).parameters())
processes.wait()
print(float(processes.summed(torch.ones(()))), end=" ")
names = lambda: sum("gloo" in (task / "comm").read_text() for task in Path("/proc/self/task").iterdir())
print(names() > 0, end=" ")
processes.end()
print(names())
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="names of threads are read from Linux's /proc")
def test_no_thread_outlives_the_group_of_processes(repository):
    """One that did held a tensor while Python ended, and aborted a process that had finished its work."""
    assert two_processes(repository, ["-c", LAST_THREADS]) == ["2.0 True 0\n"] * 2


# what it refuses


def test_another_run_in_the_folder_is_refused(whole, tmp_path):
    with pytest.raises(InputError, match="is another training run: its training.seed is 0, asked for is 1"):
        run(whole, seed=1)
    (tmp_path / "letter.txt").write_text("Dear all")
    with pytest.raises(InputError, match="is not empty and holds no training run"):
        run(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "Dear all"


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_told(tmp_path, content):
    run(tmp_path, steps=1)
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(InputError, match="checkpoint.pt is damaged or no checkpoint"):
        run(tmp_path, steps=2)


class Trap:
    def __reduce__(self):
        return print, ("executed",)


def test_a_checkpoint_cannot_run_code(tmp_path, capsys):
    run(tmp_path, steps=1)
    torch.save({"step": Trap()}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        run(tmp_path, steps=2)
    assert "executed" not in capsys.readouterr().out


def test_a_checkpoint_of_other_networks_is_told(tmp_path):
    run(tmp_path, steps=1)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    state["networks"]["module"] = {}
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(InputError, match="does not fit the networks"):
        run(tmp_path, steps=2)


def test_a_loss_that_is_no_number_stops(tmp_path, monkeypatch):
    kind = registry.load_trainable(registry.method_spec("unet3d"))
    real = kind.loss
    monkeypatch.setattr(kind, "loss", lambda *given: real(*given) * float("nan"))
    with pytest.raises(InputError, match="not finite in step 1 "):
        run(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["visual_hull", "--generate", "9"], "has nothing to train; accepted are"),
        (["magic", "--generate", "9"], "unknown method 'magic'"),
        (["unet3d", "--generate", "9", "--set", "depth=3"], "unknown setting 'depth'"),
        (["unet3d", "--generate", "9", "--set", "depth"], "--set takes KEY=VALUE, got 'depth'"),
        (["unet3d", "--generate", "9", "--steps", "many"], "steps must be a number, got 'many'"),
        (["unet3d", "--generate", "9", "--batch", "0"], "batch must lie in"),
        (["unet3d", "--generate", "9"], "9 cases are too few to hold out 16"),
        (["unet3d", "--data", "nowhere"], "nowhere holds no case"),
    ],
)
def test_a_users_mistake_is_one_line(arguments, message, tmp_path, capsys):
    assert main(["train", *arguments, "--device", "cpu", "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


# cases and truth


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset") / "cases"
    synthesize(folder, OPTIONS, cases=2, seed=5)
    return folder


def test_a_dataset_gives_what_memory_gives(dataset):
    example = registry.load_trainable(registry.method_spec("unet3d")).from_settings(dict(SMALL)).example
    for number in range(2):
        read, drawn = make_example(DatasetCases(dataset), example, number), make_example(CASES, example, number)
        torch.testing.assert_close(read["backprojection"], drawn["backprojection"])
        views, drawn_truth = CASES.case(number)
        grid = cube_around(views, 64, 2.0)
        stored, exact = DatasetCases(dataset).case(number)[1].occupancy(grid), drawn_truth.occupancy(grid)
        # the truth is stored in voxels of 0.5 mm
        assert stored.sum() == pytest.approx(exact.sum(), rel=0.05)
        assert ((stored - exact) ** 2).sum() < 0.1 * (exact**2).sum()


def test_a_touched_voxel_is_vessel():
    """A thin vessel is kept: every voxel with a share of it counts in full."""
    example = registry.load_trainable(registry.method_spec("unet3d")).from_settings(dict(SMALL)).example
    views, truth = CASES.case(0)
    shares = truth.occupancy(cube_around(views, 16, 7.0))
    assert 0 < shares[shares > 0].min() < 0.5
    np.testing.assert_array_equal(example(views, truth)["volume"][0].numpy(), shares > 0)


def test_a_dataset_trains_from_the_command_line(dataset, tmp_path, capsys):
    settings = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    options = ["--steps", "1", "--batch", "1", "--validation-cases", "1", "--device", "cpu", "--out", str(tmp_path)]
    assert main(["train", "unet3d", "--data", str(dataset), *options, *settings, "--progress", "none"]) == 0
    assert "step 1: validation Dice 0." in capsys.readouterr().out


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unusable_case_is_one_line(dataset, tmp_path, workers):
    import shutil

    shutil.copytree(dataset, tmp_path / "cases")
    (tmp_path / "cases" / "case00000" / "truth.nii.gz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="training case 0 cannot be used: not a volume that can be read") as caught:
        run(tmp_path / "run", source=DatasetCases(tmp_path / "cases"), validation_cases=1, batch=1, workers=workers)
    assert "\n" not in str(caught.value)


def test_truth_counts_parts_of_voxels():
    """Half of the space, z < 0: full, half and empty layers."""
    voxels = np.zeros((8, 8, 8), dtype=bool)
    voxels[:, :, :4] = True
    # voxel (0, 0, 0) is centred at (-3.5, -3.5, -3.5) mm
    truth = VolumeTruth(voxels, np.column_stack([np.eye(3), [3.5, 3.5, 3.5]]))
    shares = truth.occupancy(VolumeGrid.centred((2, 2, 3), 2.0))
    np.testing.assert_array_equal(shares, np.broadcast_to([1, 0.5, 0], (2, 2, 3)).astype(np.float32))
    assert truth.occupancy(VolumeGrid.centred((2, 2, 2), 1.0, (100, 0, 0))).sum() == 0


def test_a_trees_truth_has_its_volume():
    tree = draw_case(OPTIONS, 5, 0).subject.tree
    middle = (tree.points_lps_mm().min(axis=0) + tree.points_lps_mm().max(axis=0)) / 2
    volumes_mm3 = []
    for spacing in (2.0, 1.0):
        grid = VolumeGrid.centred((int(140 / spacing),) * 3, spacing, middle)
        shares = TreeTruth(tree).occupancy(grid)
        assert set(np.unique(shares * 8)) <= set(range(9))
        volumes_mm3.append(float(shares.sum()) * spacing**3)
    assert volumes_mm3[0] == pytest.approx(volumes_mm3[1], rel=0.03)


def test_a_stored_truth_is_read_where_it_was_written(tmp_path):
    grid = VolumeGrid((5, 6, 7), (1.0, 1.0, 1.0), (10.0, -20.0, 30.0))
    volume = SparseVolume(grid, np.array([[1, 2, 3]], dtype=np.int32), np.ones(1, dtype=np.float32))
    write_volume(tmp_path / "truth.nii.gz", volume, *shared_box(volume), binary=True)
    shares = read_truth(tmp_path / "truth.nii.gz").occupancy(grid)
    assert shares[1, 2, 3] == 1 and shares.sum() == 1


@pytest.mark.parametrize(("array", "message"), [(np.zeros((3, 3, 3)), "holds no vessel"), (np.ones((3, 3)), "3D")])
def test_a_truth_that_is_none_is_refused(array, message, tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(array.astype(np.uint8)), str(tmp_path / "truth.nii.gz"))
    with pytest.raises(InputError, match=message):
        read_truth(tmp_path / "truth.nii.gz")


def test_each_epoch_sees_every_case_once_in_another_order():
    numbers = [number for step in range(6) for number in cases_of_step(step, 3, 9, seed=1)]
    assert sorted(numbers[:9]) == sorted(numbers[9:]) == list(range(9))
    assert numbers[:9] != numbers[9:]
    assert numbers[:9] != [number for step in range(3) for number in cases_of_step(step, 3, 9, seed=2)]


def test_batches_hold_the_cases_asked_for():
    example = registry.load_trainable(registry.method_spec("unet3d")).from_settings(dict(SMALL)).example
    (batch,) = batch_stream(CASES, example, [[3, 1]], workers=0)
    for place, number in enumerate((3, 1)):
        assert torch.equal(batch["volume"][place], make_example(CASES, example, number)["volume"])


class Numbers:
    """As many cases as one wants, without content."""

    count, drawn = 1000, False

    def case(self, number):
        return (), number


class HandedOverSlowly:
    """An example that leaves a file in `folder` once its process has handed it over."""

    def __init__(self, folder, number):
        self.folder, self.number = folder, number

    def __reduce__(self):
        time.sleep(0.2)
        (self.folder / f"handed over {self.number}").touch()
        return int, (self.number,)


class LeavesTraces:
    """Makes such examples, with a file for each that is begun."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, views, truth):
        (self.folder / f"begun {truth}").touch()
        return HandedOverSlowly(self.folder, truth)

    def join(self, examples):
        return examples[0]


def test_processes_hand_over_what_they_have_begun_when_no_more_is_wanted(tmp_path):
    """One that ended meanwhile was aborted, and said so below the line that tells of the cancelled training."""
    stream = batch_stream(Numbers(), LeavesTraces(tmp_path), ([number] for number in range(1000)), workers=1)
    assert next(stream) == 0
    (worker,) = multiprocessing.active_children()
    stream.close()
    assert worker.exitcode == 0
    begun = {path.name.removeprefix("begun ") for path in tmp_path.glob("begun *")}
    assert 1 < len(begun) < 10
    assert begun == {path.name.removeprefix("handed over ") for path in tmp_path.glob("handed over *")}


# settings


def test_learning_rate_rises_then_falls_to_zero():
    rates = [config(steps=100, warmup=9).rate_factor(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == 1 and rates[100] == pytest.approx(0)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert config(steps=100, warmup=9, schedule="constant").rate_factor(99) == 1


def test_held_out_cases_are_never_trained_on():
    training, held_out = config(validation_cases=3).split(10)
    assert not set(training) & set(held_out) and set(training) | set(held_out) == set(range(10))


def test_dice_is_that_of_the_metrics():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.rand((2, 3, 1, 4, 4, 4), generator=generator)
    a[2], b[2] = 0, 0
    for x, y in zip(a, b, strict=True):
        assert dice_of(x, y) == pytest.approx(dice((x >= 0.5).numpy(), (y >= 0.5).numpy()))
    assert dice_of(a[2], b[2]) == 1
    assert dice_of(torch.ones(6), torch.ones(6), missed=4) == pytest.approx(2 * 6 / (6 + 10))


# the other networks that are trained


def test_the_diffusion_network_is_trained_by_the_same_loop(sphere_views, tmp_path):
    pytest.importorskip("diffusers")
    from small_networks import TINY
    from xradiff.reconstruction.methods.unet3d_diffusion.recipe import NetworkConfig
    from xradiff.reconstruction.methods.unet3d_diffusion.recipe import Recipe as DiffusionRecipe

    settings = {name: getattr(TINY, name) for name in ("size", "norm_groups", "head_size", "token_size")}
    settings |= {"layers_per_block": 1, "encoder_channels": 4, "channels": "8,8", "attention": "0,0"}
    settings |= {"attention_up": (0, 0), "spacing_mm": 7.0, "view_size": 32, "learning_rate": 1e-3}
    kind = registry.load_trainable(registry.method_spec("unet3d_diffusion"))
    assert DiffusionRecipe.from_json(kind.from_settings(settings).recipe).network == TINY
    report = train("unet3d_diffusion", CASES, config(steps=2), tmp_path, settings=settings)
    assert 0 <= report.dice <= 1
    file = open_weights(tmp_path / "last.safetensors", "unet3d_diffusion")
    assert DiffusionRecipe.from_json(file.recipe).network == TINY != NetworkConfig()
    with pytest.raises(InputError, match="channels must be whole numbers"):
        kind.from_settings({"channels": "a"})


# mixtures


class _SomeUnusable:
    """Drawn cases of which number 1 cannot be used."""

    count, drawn = 4, True

    def case(self, number):
        if number == 1:
            raise InputError("nothing to see")
        return CASES.case(number)


def test_an_unusable_drawn_case_is_replaced_by_another_drawn_one():
    example = registry.load_trainable(registry.method_spec("unet3d")).from_settings(dict(SMALL)).example
    found, other = make_example(_SomeUnusable(), example, 1), make_example(CASES, example, 5)
    assert torch.equal(found["volume"], other["volume"])


def test_a_mixture_draws_each_kind_in_its_share_and_the_number_alone_decides():
    source = MixedCases("broad", 3, 100)
    views = [len(source.case(number)[0]) for number in range(40)]
    assert set(views) == {2, 3, 4} and views.count(2) > 25
    assert views == [len(MixedCases("broad", 3, 100).case(number)[0]) for number in range(40)]
    with pytest.raises(InputError, match="mixture must be one of exact, broad, views, got 'all'"):
        MixedCases("all", 0, 10)


def test_the_truth_tells_whether_the_masks_show_just_that():
    source, told = MixedCases("broad", 3, 100), []
    for number in range(12):
        views, truth = source.case(number)
        shown = [silhouette(tubes_of(truth.tree), camera_of(view)) for view in views]
        assert truth.exact_masks == all(
            np.array_equal(one, view.vessel_mask()) for one, view in zip(shown, views, strict=True)
        )
        told.append(truth.exact_masks)
    assert 0 < sum(told) < len(told)
    for words, exact in (({}, True), ({"corruption": 0.2}, False), ({"motion": "rigid"}, False)):
        assert GeneratedCases(CaseOptions(image_px=64, **words), 3, 1).case(0)[1].exact_masks == exact


def test_moved_cases_are_aligned_as_calibration_would():
    """The views' geometry follows the mean shift: across the epipolar planes to 0.15 mm (SD)."""
    case = draw_case(CaseOptions(motion="rigid", image_px=128), 3, 0)
    truth = np.asarray(case.parameters["true_shift_lps_mm"][1])
    normal = epipolar_normal(*(camera_of(view) for view in case.views))
    errors = []
    for seed in range(30):
        moved, _ = aligned(case, np.random.default_rng(seed))
        assert moved[0] is case.views[0]
        errors.append(np.asarray(moved[1].acquisition.table_shift_mm) - truth)
    assert np.std(np.array(errors) @ normal) == pytest.approx(0.15, rel=0.4)
    assert np.linalg.norm(errors, axis=1).mean() > 1


def test_the_truth_of_a_moved_case_lies_where_its_views_agree():
    """What calibration cannot tell moves all that the views agree on; the masks hold the truth only there."""
    case = draw_case(CaseOptions(motion="rigid", image_px=256), 5, 2)
    points = case.subject.tree.points_lps_mm()
    for seed in range(4):
        views, seen = aligned(case, np.random.default_rng(seed))
        cones = [MaskCone.of(view.vessel_mask(), camera_of(view)) for view in views]
        beside, within = (max(np.median(cone.distance_mm(points + by)) for cone in cones) for by in (0 * seen, seen))
        assert beside > within + 0.15  # mm; the patient also turned a little, which no shift undoes


def test_training_begins_with_given_weights_and_run_json_says_so(whole, tmp_path):
    train("unet3d", CASES, config(steps=1), tmp_path, settings=dict(SMALL), begin=whole / "last.safetensors")
    begun = json.loads((tmp_path / "run.json").read_text())["begun_with"]
    assert begun == f"weights of SHA-256 {open_weights(whole / 'last.safetensors', 'unet3d').sha256}"
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["networks"]["module"]
    before, fresh = weights(whole), tmp_path / "fresh"
    run(fresh, steps=1)
    far = torch.load(fresh / "checkpoint.pt", weights_only=True)["networks"]["module"]
    name = next(iter(before))
    assert (state[name] - before[name]).abs().max() < (far[name] - before[name]).abs().max()
    with pytest.raises(InputError, match="the weight file"):
        train("unet3d", CASES, config(steps=1), tmp_path / "x", settings=dict(SMALL), begin=tmp_path / "missing")
