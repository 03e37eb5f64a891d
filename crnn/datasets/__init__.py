"""Labelled reviews: the IMDB data set and a generated corpus."""

from crnn.datasets._imdb.fetch import fetch_imdb
from crnn.datasets._reviews import make_reviews

__all__ = ["fetch_imdb", "make_reviews"]
