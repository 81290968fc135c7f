"""The search for better settings: proposes them one after the other, and measures each on split after split.

The only state is what `measure` keeps. A search that begins anew proposes the same settings for the same figures (Optuna's
tree-structured Parzen estimator, with its seed), so that one that was killed comes to the same end.
"""

import functools
import logging
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.runs import RunFailedError, SplitRun
from experiments.space import Choices, FloatRange, IntRange, Space, Values, text_of
from movie_genres.base.errors import MissingPackageError, UserError
from movie_genres.evaluation.searching import DONE, FAILED, STOPPED, Fresh, Search, State, Tried

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution

Measure = Callable[[int, tuple[str, ...]], SplitRun]  # of a seed and settings; raises `RunFailedError`
Command = Callable[[Sequence[str]], str]  # that tries settings once more

SKILL = "skill"
DIGITS = 3  # of numbers from a range: more would be noise
EXACT = 12  # of numbers by steps: all, but for what adding steps leaves
COMPARED = 4  # settings that have to be measured on a split before others are stopped after it
PROPOSALS = 10  # for each trial, of which some were proposed before: small spaces have fewer settings than trials


def search(space: Space, committed: Mapping[str, Any], commit: str, overlap: float, measure: Measure,
           command: Command) -> Search:
    """Measures the committed settings, then others, each on the same splits.

    Args:
        committed: the committed values of the parameters in `space`.
        overlap: test films of a split for each of its training films.

    Raises:
        MissingPackageError: Optuna is not installed.
        UserError: the committed settings cannot be measured, or what `measure` raises but for `RunFailedError`.
    """
    study, distributions = _study(space), {name: _distribution(values) for name, values in space.parameters.items()}
    base, reason = _measured((), space, measure, lambda *_: False)
    if reason:
        raise UserError(f"The settings as they are committed cannot be measured: {reason}")
    found: dict[tuple[str, ...], Tried] = {(): _tried((), base, reason, space, command)}
    _tell_committed(study, distributions, space, committed, found[()])
    for _ in range(PROPOSALS * space.trials):
        if len(found) > space.trials:
            break
        trial = study.ask(distributions)
        settings = _settings(space, trial.params, committed)
        if settings in found:
            for place, mean in _means(found[settings]).items():
                trial.report(mean, place)
        else:
            runs, reason = _measured(settings, space, measure,
                                     functools.partial(_is_poor, trial, [*found.values()] if space.stop_early else []))
            found[settings] = _tried(settings, runs, reason, space, command)
            logging.info("%d of %d: %s: %s%s", len(found) - 1, space.trials, " ".join(settings), found[settings].state,
                         f": {reason}" if reason else f", skill {statistics.fmean(found[settings].validation):.4f}")
        _tell(study, trial, found[settings])
    if len(found) <= space.trials:
        logging.warning("Only %d settings were found in this space that differ, of %d.", len(found) - 1, space.trials)
    return Search(commit=commit, model=space.model, space={name: (values.words, text_of(committed[name]))
                                                           for name, values in space.parameters.items()},
                  overlap=overlap, splits=tuple(range(space.splits)), committed=found[()], tried=tuple(found.values())[1:])


def measure_again(space: Space, settings: tuple[str, ...], measure: Measure) -> Fresh:
    """Measures settings and the committed ones on splits that the search has not seen.

    Raises:
        RunFailedError: a run failed.
    """
    seeds = range(space.splits, space.splits + space.fresh)
    committed, first = (tuple(_skills(measure(seed, each), space.model)[1] for seed in seeds) for each in ((), settings))
    return Fresh(splits=tuple(seeds), committed=committed, first=first)


def _study(space: Space) -> "Study":
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingPackageError("The search for settings", "optuna", "sweep") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=space.seed),
                               pruner=optuna.pruners.NopPruner())  # `_is_poor` stops


def _distribution(values: Values) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choices):
        return CategoricalDistribution(list(map(text_of, values.choices)))
    if isinstance(values, IntRange):
        return IntDistribution(*values.bounds, values.log, values.step or 1)
    return FloatDistribution(*values.bounds, values.log, values.step)


def _text(values: Values, proposed: Any) -> str:
    if isinstance(values, FloatRange):
        low, high = values.bounds
        return text_of(min(max(float(f"{proposed:.{_digits(values)}g}"), low), high))
    return str(proposed)  # a whole number, or the text of a choice


def _digits(values: FloatRange) -> int:
    """How many digits of a number from a range to keep: what is left out is less than a thousandth of the range. By
    orders of magnitude all numbers have as many."""
    if values.step:
        return EXACT
    low, high = values.bounds
    return DIGITS if values.log else DIGITS + math.ceil(math.log10(max(1, max(-low, high) / (high - low))))


def _settings(space: Space, proposed: Mapping[str, Any], committed: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs from the committed settings."""
    texts = {name: _text(values, proposed[name]) for name, values in space.parameters.items()}
    return tuple(f"{name}={text}" for name, text in texts.items() if text != _committed_text(space, name, committed))


def _committed_text(space: Space, name: str, committed: Mapping[str, Any]) -> str:
    value = committed[name]
    is_float = isinstance(space.parameters[name], FloatRange) and isinstance(value, int | float)
    return text_of(float(value) if is_float else value)


def _measured(settings: tuple[str, ...], space: Space, measure: Measure, is_poor: Callable[[int, float], bool]
              ) -> tuple[list[tuple[float, float]], str]:
    """Skill on validation and on test films of split after split, until it is poor or fails; and why it failed."""
    runs: list[tuple[float, float]] = []
    for step, seed in enumerate(range(space.splits)):
        try:
            runs.append(_skills(measure(seed, settings), space.model))
        except RunFailedError as error:
            return runs, str(error) or "without a reason"
        if is_poor(step, statistics.fmean(validation for validation, _ in runs)) and len(runs) < space.splits:
            break
    return runs, ""


def _skills(run: SplitRun, model: str) -> tuple[float, float]:
    """A model's skill on validation and on test films."""
    validation, test = run.validation.get(model, {}).get(SKILL), run.figures.get(f"{model}.{SKILL}")
    if validation is None or test is None:
        raise RunFailedError(f"it has left no skill of {model}")
    return float(validation), float(test)


def _is_poor(trial: "Trial", others: Sequence[Tried], step: int, mean: float) -> bool:
    """Reports a mean over the splits so far; whether it is below the median of all others on the same splits.

    Optuna's own median is of trials that were done: of these mostly the lucky are left after a split or two, so that ever
    more would be stopped. So it is successive halving: of three splits, the last is for about a quarter of the settings.
    """
    trial.report(mean, step)
    on_same = [statistics.fmean(tried.validation[:step + 1]) for tried in others if len(tried.validation) > step]
    return len(on_same) >= COMPARED and mean < statistics.median(on_same)


def _tried(settings: tuple[str, ...], runs: Sequence[tuple[float, float]], reason: str, space: Space, command: Command
           ) -> Tried:
    validation, test = zip(*runs) if runs else ((), ())
    state: State = FAILED if reason else DONE if len(runs) == space.splits else STOPPED
    return Tried(settings=settings, command=command(settings), state=state, validation=validation, test=test, reason=reason)


def _means(tried: Tried) -> dict[int, float]:
    """The means over the splits so far, by the place of the last one."""
    return {place: statistics.fmean(tried.validation[:place + 1]) for place in range(len(tried.validation))}


def _tell(study: "Study", trial: "Trial", tried: Tried) -> None:
    """Tells the study how a proposal came out."""
    from optuna.trial import TrialState

    if tried.state == DONE:
        study.tell(trial, statistics.fmean(tried.validation))
    else:  # also what failed: from a FAIL the sampler would learn nothing, and propose the like again and again
        study.tell(trial, state=TrialState.PRUNED)


def _tell_committed(study: "Study", distributions: Mapping[str, "BaseDistribution"], space: Space,
                    committed: Mapping[str, Any], base: Tried) -> None:
    """Lets the study begin with the committed settings, where they lie in the space."""
    from optuna.trial import create_trial

    params = {name: _value(values, committed[name]) for name, values in space.parameters.items()}
    if None not in params.values():
        study.add_trial(create_trial(params=params, distributions=dict(distributions), intermediate_values=_means(base),
                                     value=statistics.fmean(base.validation)))


def _value(values: Values, committed: Any) -> Any:
    """A committed value as the study knows it; None where it is none of those to try."""
    if isinstance(values, Choices):
        return text if (text := text_of(committed)) in map(text_of, values.choices) else None
    if isinstance(committed, bool) or not isinstance(committed, int if isinstance(values, IntRange) else int | float):
        return None
    low, high = values.bounds
    steps = (committed - low) / values.step if values.step else 0
    return committed if low <= committed <= high and abs(steps - round(steps)) < 1e-8 else None
