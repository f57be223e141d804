"""Report: figures, film, the HTML page, the leaderboard's picture: what people look at.

Not here: anything that computes a score or asks a model (evaluation, training): all is drawn from the scores and
predictions that a training keeps. Imports training and below.
"""
