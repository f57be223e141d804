"""Report: figures, film, the HTML page, the leaderboard's picture: what people look at.

Not here: anything that computes a score or a forecast (evaluation, training). Imports training and below.
"""
