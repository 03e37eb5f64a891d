"""What the estimators have in common, said once."""

PARAMETERS = """
    units : int, default=32
        Size of the recurrent state, H.
    embedding_dim : int, default=32
        Size of the vector learned for each token, E. Float series have no embedding.
    vocabulary_size : int, default=None
        Number of token ids, V: ids run from 0 (padding) to V - 1, and a higher one is an error.
        None takes the largest id seen by ``fit`` and adds a row for all higher ids, one unknown
        word whose vector is zero and never trains.
    input : {"auto", "tokens", "series"}, default="auto"
        How to read X. "auto" takes integers (arrays of shape (n_samples, timesteps), or lists of
        integer sequences) as token ids and floats (arrays of shape (n_samples, timesteps) or
        (n_samples, timesteps, features), or lists of 1-D or 2-D arrays) as series. Any container
        of sequences does, such as a column of pandas, polars or pyarrow; integers beside floats
        are an error.
    activation : {"tanh", "relu", "sigmoid", "linear"}, default="tanh"
        The function f.
    mask_zero : bool, default=False
        Skip each token 0, the state carries through. If False, paddings are read like any token,
        so that the state is not zero where the text begins.
    optimizer : {"rmsprop", "sgd", "adam"}, default="rmsprop"
        How weights follow the gradient.
    learning_rate : float, default=1e-3
        Size of the steps of the optimiser.
    learning_rate_schedule : {"constant", "invscaling", "adaptive"}, default="constant"
        "invscaling" divides the learning rate by ``epoch ** power_t``, epochs counted from 1;
        "adaptive" divides it by 5 whenever the loss has not gone down for ``n_iter_no_change``
        epochs, counted over all calls that continue one another.
    power_t : float, default=0.5
        Exponent of "invscaling".
    momentum : float, default=0.0
        Share of the last step that SGD makes again, in [0, 1).
    nesterovs_momentum : bool, default=False
        Whether SGD with momentum looks ahead.
    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * ||w||^2`` on the weights of the layers, without
        biases and embedding. The losses in ``history_`` are without it.
    clip_norm : float, default=None
        Largest norm of all gradients of a step together; longer ones are scaled down.
    clip_value : float, default=None
        Largest magnitude of each number of a gradient, before ``clip_norm``.
    batch_size : int or "auto", default="auto"
        Samples for each step of the optimiser. "auto" is n_samples / 50, at least 4 and at most
        128: so small data get enough steps, and 6,400 samples or more the usual 128.
    max_iter : int, default=10
        Number of epochs, the passes over the data.
    shuffle : bool, default=True
        Draw a new order of the samples for each epoch.
    validation_fraction : float, default=0.0
        Share of the samples, in [0, 1), that is held out and measured after each epoch. As in
        Keras it is the tail of X, taken before shuffling.
    stratify : bool, default=False
        Draw the held-out samples at random, with the same share of each class, instead of taking
        the tail.
    scoring : str, callable, list, tuple or dict, default=None
        What measures the held-out samples after each epoch, as ``history_["val_" + name]``: names
        of scikit-learn's scorers, scorers or functions ``scorer(estimator, X, y)``; one, a list, or
        a dict of names to them. One without a name is the "score"; in a list a scorer has the name
        of its metric. A function may return a dict of names to scores. ``sample_weight`` goes to
        those that take it. Files leave scorers out that are not names, as they do callbacks.
    early_stopping : bool, default=False
        Stop a fit when the loss has not gone down for ``n_iter_no_change`` of its epochs, which
        takes a ``max_iter`` well above that, and in any case go back to the weights of the epoch
        with the lowest. The loss is that of the held-out samples or, where there are none, that of
        training: unlike scikit-learn's networks, none are held out unless ``validation_fraction``
        says so. With an "adaptive" schedule, stop when a lower learning rate has not helped either.
    n_iter_no_change : int, default=10
        Epochs without improvement that early stopping and the "adaptive" schedule wait for.
    tol : float, default=1e-4
        How much lower than the lowest before the loss must be to count as an improvement.
    callbacks : list of callable, default=None
        Called after each epoch of ``fit`` with the estimator as if it had ended there, one after
        the other; any of them ends the fit by returning True. See ``crnn.callbacks``.
    warm_start : bool, default=False
        Let ``fit`` continue from the fitted attributes as they stand.
    dtype : {"float32", "float64"}, default="float32"
        Precision of weights and computation.
    random_state : int, RandomState instance or None, default=None
        Source of the initial weights and of the order of the samples.
    n_jobs : int, default=None
        Number of threads. None is 1 unless in a ``joblib.parallel_config``, -1 all processors;
        never more than there are processors, or than OMP_NUM_THREADS and ``threadpoolctl`` allow
        OpenMP. The result does not depend on it.
    verbose : int, default=0
        Print a line an epoch if not 0.
""".strip()

ATTRIBUTES = """
    n_outputs_ : int
        Number of outputs of the head.
    out_activation_ : {"logistic", "softmax", "identity"}
        What the outputs go through.
    n_iter_ : int
        Epochs done, over all calls that continued one another.
    fit_progress_ : tuple of int or None
        Epochs ``(done, total)`` of a fit that is running or was interrupted, else None.
    n_features_in_ : int
        Width of X, if it was an array; sequences of a list have any length.
    history_ : dict of str -> list of float
        "loss" and "accuracy" ("binary_accuracy", that of single labels, for multilabel y;
        "mean_absolute_error" for a regressor) of each epoch, the weighted mean over the samples
        while the network changes; with validation data the same at its end, and what ``scoring``
        asks for, by names that begin with "val_".
    weights_ : dict of str -> ndarray
        ``"embedding"`` (V, E), for token ids only, with ``vocabulary_size=None`` the last row that
        of unknown words; ``"rnn_0/kernel"`` (E or F, H), ``"rnn_0/recurrent_kernel"`` (H, H),
        ``"rnn_0/bias"`` (H,), ``"head/kernel"`` (H, K), ``"head/bias"`` (K,). They belong to
        units, not to columns of X: for the importance of columns see
        ``sklearn.inspection.permutation_importance``.
    embedding_, kernel_, recurrent_kernel_, bias_, head_kernel_, head_bias_ : ndarray
        The same arrays.
""".strip()


def documented(cls):
    """Fill what is shared into the docstring of a class."""
    if cls.__doc__:  # there is none under python -OO
        cls.__doc__ = cls.__doc__.replace("{parameters}", PARAMETERS)
        cls.__doc__ = cls.__doc__.replace("{attributes}", ATTRIBUTES)
    return cls
