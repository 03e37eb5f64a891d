"""make_reviews as a task: the order of the words decides, and nothing else."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from crnn.datasets import make_reviews


def test_make_reviews_is_reproducible_balanced_and_of_moderate_size():
    texts, y = make_reviews(1001, random_state=3)
    assert len(texts) == len(y) == 1001
    assert np.bincount(y).tolist() in ([500, 501], [501, 500])
    again, y_again = make_reviews(1001, random_state=3)
    assert again == texts
    assert y_again.tolist() == y.tolist()
    assert texts != make_reviews(1001, random_state=4)[0]
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) >= 8
    assert max(lengths) <= 45
    vocabulary = CountVectorizer().fit(texts).vocabulary_
    assert 100 <= len(vocabulary) <= 200
    assert len(make_reviews(random_state=0)[0]) == 1000
    with pytest.raises(ValueError, match="'n_samples' parameter"):
        make_reviews(0)


def last_opinion(text):
    """The class by the rule of the docstring, read off the text from its end."""
    praise = {"good", "wonderful", "funny", "clever", "moving", "gripping", "charming", "lively"}
    blame = {"bad", "dull", "silly", "boring", "clumsy", "tedious", "weak", "awful"}
    words = text.replace(",", "").replace(".", "").split()
    last = max(i for i, word in enumerate(words) if word in praise | blame)
    return int((words[last] in praise) != (words[last - 1] in {"not", "never"}))


def test_the_order_of_the_words_decides():
    texts, y = make_reviews(3000, random_state=0)
    assert [last_opinion(text) for text in texts] == y.tolist()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("words", [CountVectorizer(), TfidfVectorizer(ngram_range=(1, 2))])
def test_a_bag_of_words_does_badly_on_generated_reviews(words, seed):
    """Neither words nor pairs of words tell the class."""
    texts, y = make_reviews(4000, random_state=seed)
    train, test, y_train, y_test = train_test_split(texts, y, random_state=seed)
    bag = make_pipeline(words, LogisticRegression(max_iter=1000))
    assert bag.fit(train, y_train).score(test, y_test) < 0.6


@pytest.mark.parametrize("flip_y", [0.0, 0.2, 1.0])
def test_a_share_of_the_labels_is_drawn_at_random(flip_y):
    texts, y = make_reviews(4000, random_state=0, flip_y=flip_y)
    assert texts == make_reviews(4000, random_state=0)[0]
    wrong = np.mean(y != [last_opinion(text) for text in texts])
    assert abs(wrong - flip_y / 2) <= 4 * np.sqrt(flip_y / 2 / 4000)
    for bad in (-0.1, 1.1, "a"):
        with pytest.raises(ValueError, match="'flip_y' parameter"):
            make_reviews(10, flip_y=bad)
