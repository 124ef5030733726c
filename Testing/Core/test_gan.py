"""The Wasserstein GAN: its penalty and losses by hand, who is trained in which turn, the loop around it."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from xradiff.errors import InputError
from xradiff.progress import silent
from xradiff.reconstruction.cube_networks import soft_dice_loss
from xradiff.reconstruction.interface import ReconstructionInputs
from xradiff.reconstruction.methods.gan.config import GanConfig
from xradiff.reconstruction.methods.gan.method import Gan
from xradiff.reconstruction.methods.gan.network import Critic3D, Generator3D
from xradiff.reconstruction.methods.gan.recipe import Recipe
from xradiff.reconstruction.methods.gan.training import GanTraining, gradient_penalty

sys.path.append(str(Path(__file__).parent))
from shipped_weights import dice_beside_backprojection
from small_networks import SMALL_GAN


@pytest.fixture
def training():
    torch.manual_seed(0)
    return GanTraining(SMALL_GAN)


@pytest.fixture
def batch():
    chance = torch.Generator().manual_seed(1)
    given = torch.rand((2, 1, 16, 16, 16), generator=chance)
    return {"backprojection": given, "volume": (given > 0.9).float()}


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def trained(module):
    return any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in module.parameters())


def test_penalty_of_a_linear_score_by_hand():
    """score(x) = 3 mean(x): its gradient is 3/n in each of n voxels, of norm 3/sqrt(n)."""
    volumes = torch.rand(2, 1, 4, 4, 4)
    penalty = gradient_penalty(lambda x: 3 * x.flatten(1).mean(1), volumes)
    assert float(penalty) == pytest.approx((3 / math.sqrt(64) - 1) ** 2)


def test_penalty_trains_the_critic(training, batch):
    penalty = gradient_penalty(lambda x: training.critic(x, batch["backprojection"]), batch["volume"])
    penalty.backward()
    assert trained(training.critic)


def test_adversarial_gradient_reaches_the_generator(batch):
    """Without the fidelity the generator's gradient can only come through the critic."""
    torch.manual_seed(0)
    training = GanTraining(dataclasses.replace(SMALL_GAN, fidelity=0.0))
    training.loss("generator", batch, chance()).backward()
    assert trained(training.network)


def test_the_critics_turn_leaves_the_generator_alone(training, batch):
    training.loss("critic", batch, chance()).backward()
    assert trained(training.critic) and not trained(training.network)
    groups = {
        turn: {id(p) for g in training.optimiser(turn).param_groups for p in g["params"]} for turn in training.turns
    }
    assert groups["critic"] == {id(p) for p in training.critic.parameters()}
    assert groups["generator"] == {id(p) for p in training.network.parameters()}


def test_generator_loss_by_hand(training, batch):
    with torch.no_grad():
        made = training.network(batch["backprojection"]).sigmoid()
        score = training.critic(made, batch["backprojection"]).mean()
        expected = 100 * (made - batch["volume"]).abs().mean() - score
        torch.testing.assert_close(training.loss("generator", batch, chance()), expected)


def test_overlap_adds_cross_entropy_and_soft_dice(training, batch):
    with torch.no_grad():
        logits, volume = training.network(batch["backprojection"]), batch["volume"]
        more = binary_cross_entropy_with_logits(logits, volume) + soft_dice_loss(logits.sigmoid(), volume)
        plain = training.loss("generator", batch, chance())
        other = GanTraining(dataclasses.replace(SMALL_GAN, overlap=20.0))
        other.module.load_state_dict(training.module.state_dict())
        torch.testing.assert_close(other.loss("generator", batch, chance()), plain + 20 * more)


def test_critic_learns_to_tell_true_from_made(training, batch):
    optimiser, given = training.optimiser("critic"), batch["backprojection"]
    made = training.network(given).sigmoid().detach()

    def gap():
        with torch.no_grad():
            return float((training.critic(batch["volume"], given) - training.critic(made, given)).mean())

    before = gap()
    for seed in range(30):
        optimiser.zero_grad()
        training.loss("critic", batch, chance(seed)).backward()
        optimiser.step()
    assert gap() > before


def test_chance_comes_from_the_generator(training, batch):
    first, again, other = (training.loss("critic", batch, chance(seed)).item() for seed in (3, 3, 4))
    assert first == again != other


def test_critic_turns_and_untrained_answer(training):
    assert training.turns == ("critic", "critic", "generator")
    given = torch.rand(1, 1, 16, 16, 16)
    torch.testing.assert_close(training.network(given), 8 * (given - 0.5))


def test_critic_treats_each_case_alone(training):
    volume, given = torch.rand(2, 3, 1, 16, 16, 16)
    together = training.critic(volume, given)
    assert together.shape == (3,)
    torch.testing.assert_close(training.critic(volume[1:2], given[1:2]), together[1:2])


def test_every_layer_is_used():
    torch.manual_seed(0)
    for network, given in ((Generator3D(SMALL_GAN), 1), (Critic3D(SMALL_GAN), 2)):
        torch.nn.init.normal_(network.out.weight) if given == 1 else None
        network(*torch.rand(given, 1, 1, 16, 16, 16)).square().mean().backward()
        assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 24}, "multiple of 16"),
        ({"critic_turns": 0}, "critic_turns"),
        ({"overlap": -1}, "overlap"),
        ({"critic_channels": "7"}, "multiples of 8"),
    ],
)
def test_impossible_recipes_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Recipe.from_json(wrong)


def test_interrupted_training_gives_the_same_numbers(tmp_path):
    pytest.importorskip("accelerate")
    from safetensors.torch import load_file
    from xradiff.errors import Cancelled
    from xradiff.synthetic.case import CaseOptions
    from xradiff.training.cases import GeneratedCases
    from xradiff.training.config import TrainingConfig
    from xradiff.training.loop import train

    config = TrainingConfig(steps=2, batch=1, validation_cases=1, validate_every=2, device="cpu")
    source = GeneratedCases(CaseOptions(image_px=128), seed=5, count=4)
    settings = SMALL_GAN.to_json() | {"spacing_mm": 7.0}

    def stop(fraction, message):
        if message.startswith("step 1 of"):
            raise Cancelled

    train("gan", source, config, tmp_path / "whole", settings=dict(settings))
    with pytest.raises(Cancelled):
        train("gan", source, config, tmp_path / "parts", settings=dict(settings), progress=stop)
    train("gan", source, config, tmp_path / "parts", settings=dict(settings))
    whole, parts = (load_file(tmp_path / name / "last.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def reconstruct(views, **config):
    inputs = ReconstructionInputs(tuple(views), spacing_mm=1.0)
    return Gan().reconstruct(inputs, GanConfig(**config), generator=np.random.default_rng(0), progress=silent)


@pytest.mark.parametrize(("number", "side"), [(0, "left"), (1, "right")])
def test_shipped_weights_beat_the_backprojection(number, side):
    found, given = dice_beside_backprojection(reconstruct, "gan_both", side, number)
    assert found > 1.1 * given
