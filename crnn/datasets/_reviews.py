"""A small corpus of film reviews, generated, in which the order of the words decides."""

from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from crnn._constraints import RANDOM_STATE, Interval
from crnn._typing import RandomState, checked

PRAISE = ("good", "wonderful", "funny", "clever", "moving", "gripping", "charming", "lively")
BLAME = ("bad", "dull", "silly", "boring", "clumsy", "tedious", "weak", "awful")
NEGATIONS = ("not", "never")
NEGATION_RATE = 0.15  # rare enough that ten epochs on 2,000 reviews teach it to a small network

SUBJECTS = ("film", "story", "plot", "acting", "dialogue", "music", "camera work", "humour")
CONTRASTS = (
    "The {subject} is {first} at first but {last} in the end.",
    "The {subject} seems {first} early on, yet on the whole it is {last}.",
    "I had heard that the {subject} is {first}, but I found it {last}.",
    "Critics called the {subject} {first}, though to me it was {last}.",
    "The {subject} may be {first} in places, but all in all it is {last}.",
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
    n_samples=[Interval(Integral, 1, None, closed="left")],
    random_state=RANDOM_STATE,
)
def make_reviews(
    n_samples: int = 1000, random_state: RandomState = None
) -> tuple[list[str], NDArray[np.int64]]:
    """Generate film reviews whose sentiment depends on the order of the words.

    Each review ends, after neutral sentences, in a sentence with two opinions that disagree.
    The last one decides ("dull at first but wonderful in the end" is positive), and a negation
    turns an opinion round ("not good" is negative). As the opinions disagree, the words of a
    review say nothing of its class: whatever words it has, the two classes are equally likely,
    so that a bag of words can do no better than chance, while a model that reads in order can
    be right every time.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of reviews.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same reviews in every call.

    Returns
    -------
    texts : list of str of length n_samples
        The reviews, of about 10 to 40 words each.
    y : ndarray of shape (n_samples,)
        1 for positive and 0 for negative reviews; the classes are of equal size, up to one
        sample.

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
    return [_review(label, rng) for label in y], y


def _review(label, rng):
    chosen = rng.permutation(len(NEUTRAL))[: rng.randint(MOST_NEUTRAL + 1)]
    neutral = [_fill_slots(NEUTRAL[i], rng) for i in chosen]
    decisive = _pick(CONTRASTS, rng).format(
        subject=_pick(SUBJECTS, rng), first=_opinion(not label, rng), last=_opinion(label, rng)
    )
    return " ".join([*neutral, decisive])


def _opinion(positive, rng):
    """A word of the wanted sentiment, or one of the other sentiment and a negation."""
    negated = rng.random_sample() < NEGATION_RATE
    word = _pick(PRAISE if positive != negated else BLAME, rng)
    return f"{_pick(NEGATIONS, rng)} {word}" if negated else word


def _fill_slots(sentence, rng):
    filled = sentence.format(**{slot: _pick(words, rng) for slot, words in SLOTS.items()})
    return filled[0].upper() + filled[1:]


def _pick(options, rng):
    return options[rng.randint(len(options))]
