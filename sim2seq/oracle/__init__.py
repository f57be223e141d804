"""Oracle: how runs will end, whether they are worth finishing, and who asks: Optuna, Keras, `python -m sim2seq.oracle`.

Not here: how an oracle is trained and judged (training), and what only one kind of run needs (its study).
"""
