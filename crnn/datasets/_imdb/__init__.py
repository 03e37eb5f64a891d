"""The IMDB reviews, as Keras's word ids or as text, from whichever source is at hand."""
