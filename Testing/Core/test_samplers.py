"""DDIM and guidance on data whose best noise prediction is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from xradiff.errors import Cancelled, InputError
from xradiff.reconstruction.samplers import PREDICTIONS, NoiseSchedule, guided, prediction_target, sample_ddim


def signal_and_noise(schedule, times):
    """sqrt(abar_t) and sqrt(1 - abar_t), shaped to multiply (B, 1, 1, 1, 1)."""
    kept = schedule.ddim().alphas_cumprod.double()[times].view(-1, 1, 1, 1, 1)
    return kept.sqrt(), (1 - kept).sqrt()


def knows(clean, schedule):
    """The perfect predictor of one single volume."""

    def predict(noisy, times):
        signal, noise = signal_and_noise(schedule, times)
        return (noisy - signal * clean) / noise

    return predict


def knows_normal(mean, deviation, schedule):
    """The perfect predictor of independent normal voxels: E[noise | x_t]."""

    def predict(noisy, times):
        signal, noise = signal_and_noise(schedule, times)
        spread = (signal * deviation) ** 2 + noise**2
        return noise * (noisy - signal * mean) / spread

    return predict


def start(count=2, seed=0, size=6):
    return torch.randn(count, 1, size, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


WAYS = [(prediction, False) for prediction in PREDICTIONS] + [("sample", True), ("v_prediction", True)]


def knows_as(prediction, clean, schedule):
    """The perfect predictor of one single volume in any of the three ways."""

    def predict(noisy, times):
        signal, noise = signal_and_noise(schedule, times)
        exact = (noisy - signal * clean) / noise
        return {"epsilon": exact, "sample": clean, "v_prediction": signal * exact - noise * clean}[prediction]

    return predict


@pytest.mark.parametrize(("prediction", "zero"), WAYS)
@pytest.mark.parametrize("steps", [1, 4, 10])
@pytest.mark.parametrize("clip", [False, True])
def test_a_perfect_predictor_of_any_kind_recovers_the_volume(prediction, zero, steps, clip):
    schedule = NoiseSchedule(prediction=prediction, zero_terminal_snr=zero)
    clean = torch.linspace(0, 1, 216, dtype=torch.float64).view(1, 1, 6, 6, 6).repeat(2, 1, 1, 1, 1)
    recovered = sample_ddim(knows_as(prediction, clean, schedule), start(), schedule, steps, clip=clip)
    torch.testing.assert_close(recovered, clean, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("prediction", "zero"), WAYS)
def test_the_target_is_what_the_sampler_expects(prediction, zero):
    """A step from any time with the target as the prediction lands on the same data and noise at the earlier time."""
    schedule = NoiseSchedule(prediction=prediction, zero_terminal_snr=zero)
    scheduler, data, noise = schedule.ddim(), start(seed=1).clamp(-1, 1), start(seed=2)
    scheduler.set_timesteps(4)
    for time, earlier in zip(scheduler.timesteps[:-1], scheduler.timesteps[1:], strict=True):
        target = prediction_target(scheduler, data, noise, time.expand(2))
        reached = scheduler.step(target, time, scheduler.add_noise(data, noise, time.expand(2))).prev_sample
        torch.testing.assert_close(reached, scheduler.add_noise(data, noise, earlier.expand(2)), atol=2e-4, rtol=1e-3)


def test_guiding_any_prediction_is_the_same():
    conditional, unconditional = start(seed=1).clamp(0, 1), start(seed=2).clamp(0, 1)
    drawn = []
    for prediction in PREDICTIONS:
        schedule = NoiseSchedule(prediction=prediction)
        both = knows_as(prediction, torch.cat([conditional, unconditional]), schedule)
        drawn.append(sample_ddim(guided(both, 2.5), start(), schedule, 5))
    torch.testing.assert_close(drawn[1], unconditional + 2.5 * (conditional - unconditional), atol=1e-4, rtol=0)
    for other in (drawn[0], drawn[2]):
        torch.testing.assert_close(other, drawn[1], atol=1e-3, rtol=0)


def test_zero_terminal_snr_begins_at_pure_noise():
    schedule = NoiseSchedule(prediction="sample", zero_terminal_snr=True)
    kept = schedule.ddim().alphas_cumprod
    assert float(kept[-1]) == 0 and kept[0] == pytest.approx(float(NoiseSchedule().ddim().alphas_cumprod[0]))
    assert bool((kept[1:] < kept[:-1]).all())
    assert schedule.times(5) == [999, 799, 599, 399, 199]
    assert float(NoiseSchedule().ddim().alphas_cumprod[-1]) > 0
    with pytest.raises(InputError, match="zero_terminal_snr needs the prediction sample or v_prediction, got epsilon"):
        NoiseSchedule(zero_terminal_snr=True)


@pytest.mark.parametrize("steps", [1, 3, 10])
@pytest.mark.parametrize("name", ["squaredcos_cap_v2", "linear", "scaled_linear"])
@pytest.mark.parametrize("clip", [False, True])
def test_a_perfect_predictor_recovers_the_volume(name, clip, steps):
    schedule = NoiseSchedule(name)
    clean = torch.linspace(0, 1, 216, dtype=torch.float64).view(1, 1, 6, 6, 6).repeat(2, 1, 1, 1, 1)
    recovered = sample_ddim(knows(clean, schedule), start(), schedule, steps, clip=clip)
    assert recovered.dtype == torch.float64
    torch.testing.assert_close(recovered, clean, atol=1e-4, rtol=0)


def test_noise_becomes_the_distribution_that_was_learned():
    schedule = NoiseSchedule()
    drawn = sample_ddim(knows_normal(0.3, 0.2, schedule), start(size=24), schedule, 250)
    assert float(drawn.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(drawn.std()) == pytest.approx(0.2, abs=0.01)


def test_another_schedule_than_the_trained_one_is_wrong():
    trained = NoiseSchedule("squaredcos_cap_v2")
    drawn = sample_ddim(knows_normal(0.3, 0.2, trained), start(size=24), NoiseSchedule("linear"), 250)
    assert abs(float(drawn.std()) - 0.2) > 0.05


def test_the_published_schedule_is_the_squared_cosine():
    fraction = (np.arange(1000) + 1) / 1000
    expected = (np.cos((fraction + 0.008) / 1.008 * np.pi / 2) / np.cos(0.008 / 1.008 * np.pi / 2)) ** 2
    np.testing.assert_allclose(NoiseSchedule().ddim().alphas_cumprod[:990], expected[:990], rtol=1e-3)


def test_times_go_from_noise_to_data():
    assert NoiseSchedule().times(10) == [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]
    assert NoiseSchedule(train_steps=10).times(3) == [6, 3, 0]


def test_guidance_formula():
    conditional, unconditional = start(seed=1), start(seed=2)
    noisy, times = start(), torch.tensor([7, 3])

    def both(doubled, doubled_times):
        torch.testing.assert_close(doubled, torch.cat([noisy, noisy]))
        assert doubled_times.tolist() == [7, 3, 7, 3]
        return torch.cat([conditional, unconditional])

    expected = unconditional + 7.5 * (conditional - unconditional)
    torch.testing.assert_close(guided(both, 7.5)(noisy, times), expected)
    torch.testing.assert_close(guided(both, 1.0)(noisy, times), conditional)
    torch.testing.assert_close(guided(both, 0.0)(noisy, times), unconditional)


def test_guidance_pushes_the_sample_away_from_the_unconditional_one():
    schedule = NoiseSchedule()

    def both(noisy, times):
        signal, noise = signal_and_noise(schedule, times)
        wanted = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64).view(-1, 1, 1, 1, 1)
        return (noisy - signal * wanted) / noise

    drawn = sample_ddim(guided(both, 3.0), start(), schedule, 10)
    torch.testing.assert_close(drawn, torch.full_like(drawn, 3.0), atol=1e-4, rtol=0)
    drawn = sample_ddim(guided(both, 3.0), start(), schedule, 10, clip=True)
    torch.testing.assert_close(drawn, torch.ones_like(drawn), atol=1e-4, rtol=0)


@pytest.mark.parametrize("clip", [False, True])
def test_a_step_is_equation_12_by_hand(clip):
    """t = 500 -> 0 with a wrong noise, so that x_0 leaves [-1, 1]; clipping changes the noise too."""
    schedule, first = NoiseSchedule(), start()
    wrong = 2 * start(seed=4)
    seen = []

    def predict(noisy, times):
        seen.append(noisy)
        return wrong

    sample_ddim(predict, first, schedule, 2, clip=clip)
    (signal, noise), (less_signal, less_noise) = (signal_and_noise(schedule, torch.tensor([t])) for t in (500, 0))
    clean, rest = (first - noise * wrong) / signal, wrong
    assert clean.abs().max() > 1
    if clip:
        clean = clean.clamp(-1, 1)
        rest = (first - signal * clean) / noise
    torch.testing.assert_close(seen[1], less_signal * clean + less_noise * rest, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 7])
def test_one_batched_call_a_step(steps):
    shapes = []

    def both(noisy, times):
        shapes.append((tuple(noisy.shape), tuple(times.shape)))
        return noisy

    sample_ddim(guided(both, 2.0), start(3), NoiseSchedule(), steps)
    assert shapes == [((6, 1, 6, 6, 6), (6,))] * steps


def test_same_start_same_answer_and_the_start_is_left_alone():
    schedule, first = NoiseSchedule(), start()
    before = first.clone()
    one = sample_ddim(knows_normal(0.3, 0.2, schedule), first, schedule, 5)
    two = sample_ddim(knows_normal(0.3, 0.2, schedule), first, schedule, 5)
    assert torch.equal(one, two)
    assert torch.equal(first, before)


def test_progress_rises_and_cancels():
    seen = []
    sample_ddim(lambda x, t: x, start(), NoiseSchedule(), 4, progress=lambda f, m: seen.append(f))
    assert seen == [0, 0.25, 0.5, 0.75, 1]

    def cancel(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        sample_ddim(lambda x, t: x, start(), NoiseSchedule(), 4, progress=cancel)


@pytest.mark.parametrize("steps", [0, 1001])
def test_impossible_numbers_of_steps_are_refused(steps):
    with pytest.raises(InputError, match=rf"must lie in \[1, 1000\], got {steps}"):
        sample_ddim(lambda x, t: x, start(), NoiseSchedule(), steps)


@pytest.mark.parametrize("wrong", [{"name": "cosine"}, {"train_steps": 0}, {"prediction": "noise"}])
def test_unknown_schedules_are_refused(wrong):
    with pytest.raises(InputError):
        NoiseSchedule(**wrong)
