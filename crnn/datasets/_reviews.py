"""A small corpus of generated film reviews, whose class depends on the order of the words."""

from numbers import Real

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from crnn._constraints import RANDOM_STATE, SIZE, Interval
from crnn._typing import RandomState, checked

PRAISE = ("good", "wonderful", "funny", "clever", "moving", "gripping", "charming", "lively")
BLAME = ("bad", "dull", "silly", "boring", "clumsy", "tedious", "weak", "awful")
NEGATIONS = ("not", "never")
NEGATION_RATE = 0.15  # rare enough that ten epochs on 2,000 reviews teach it to a small network

SUBJECTS = ("film", "story", "plot", "acting", "dialogue", "music", "camera work", "humour")
# Both opinions of a contrast have the same neighbours, so that pairs of words tell no more about
# the class than single words.
CONTRASTS = (
    "The {subject} is {first} when it starts but is {last} when it ends.",
    "Early on I found the {subject} to be {first} but then to be {last} but short.",
    "Critics call it {first} for its {subject} but I call it {last} for its {subject}.",
    "The {subject} seems {first} in the trailer but seems {last} in the cinema.",
    "The {subject} may be {first} to a child but will be {last} to you.",
)
NEUTRAL = (
    "I saw it with {company} on {day}.",
    "We watched it {place} last {day}.",
    "It runs for about two hours.",
    "It was shot in {town} by a large crew.",
    "Most of it takes place {place}.",
    "The director also worked on a series in {town}.",
    "There is a sequel that comes out next year.",
    "{company} lent me the disc.",
    "A young man travels from {town} to the coast.",
    "Nobody had told me about the book.",
    "The screening began at eight.",
    "It is the second part of three.",
)
MOST_NEUTRAL = 3
SLOTS = {
    "company": ("my sister", "two friends", "our neighbours", "a colleague"),
    "day": ("monday", "friday", "sunday", "weekend"),
    "place": ("at home", "on a train", "in a small theatre", "at the school"),
    "town": ("paris", "london", "chicago", "a village"),
}


@checked(
    n_samples=SIZE,
    random_state=RANDOM_STATE,
    flip_y=[Interval(Real, 0, 1, closed="both")],
)
def make_reviews(
    n_samples: int = 1000, random_state: RandomState = None, *, flip_y: float = 0.0
) -> tuple[list[str], NDArray[np.int64]]:
    """Generate film reviews whose sentiment depends on the order of the words.

    Each review ends, after neutral sentences, in a sentence with two opinions that disagree.
    The last one decides ("dull at first but wonderful in the end" is positive), and a negation
    reverses an opinion ("not good" is negative). As the opinions disagree, the words of a review
    say nothing about its class: whatever words it has, the two classes are equally likely. Both
    opinions have the same neighbours, so that pairs of words say nothing either. A bag of words or
    of pairs can do no better than chance, while a model that reads in order can be right every
    time, except for the labels that `flip_y` makes wrong.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of reviews.
    random_state : int, RandomState instance or None, default=None
        Pass an int to get the same reviews in every call.
    flip_y : float in [0, 1], default=0.0
        Fraction of the reviews whose label is drawn at random, so that about half of these are
        wrong, as in :func:`sklearn.datasets.make_classification`. The texts do not depend on it.

    Returns
    -------
    texts : list of str of length n_samples
        The reviews, of about 10 to 40 words each.
    y : ndarray of shape (n_samples,)
        1 for positive and 0 for negative reviews; before labels are flipped, the sizes of the
        classes differ by one at most.

    See Also
    --------
    fetch_imdb : Real reviews.

    Examples
    --------
    >>> from crnn.datasets import make_reviews
    >>> texts, y = make_reviews(4, random_state=0)
    >>> len(texts), sorted(y.tolist())
    (4, [0, 0, 1, 1])
    """
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_samples) % 2)
    texts = [_review(label, rng) for label in y]
    flipped = rng.uniform(size=n_samples) < flip_y
    y[flipped] = rng.randint(2, size=flipped.sum())
    return texts, y


def _review(label, rng):
    chosen = rng.permutation(len(NEUTRAL))[: rng.randint(MOST_NEUTRAL + 1)]
    neutral = [_fill_slots(NEUTRAL[i], rng) for i in chosen]
    decisive = _pick(CONTRASTS, rng).format(
        subject=_pick(SUBJECTS, rng), first=_opinion(not label, rng), last=_opinion(label, rng)
    )
    return " ".join([*neutral, decisive])


def _opinion(positive, rng):
    """A word of the wanted sentiment, or a negated word of the other one."""
    negated = rng.random_sample() < NEGATION_RATE
    word = _pick(PRAISE if positive != negated else BLAME, rng)
    return f"{_pick(NEGATIONS, rng)} {word}" if negated else word


def _fill_slots(sentence, rng):
    filled = sentence.format(**{slot: _pick(words, rng) for slot, words in SLOTS.items()})
    return filled[0].upper() + filled[1:]


def _pick(options, rng):
    return options[rng.randint(len(options))]
