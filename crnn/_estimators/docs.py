"""Texts that the docstrings of the estimators share."""

PARAMETERS = """
    units : int or tuple of int, default=32
        Size of the recurrent state, H. Several numbers stack as many layers, each of which reads
        the states of the one before.
    bidirectional : bool, default=False
        Whether each layer reads the sequence both ways, with weights of its own for either, and
        gives the states of both side by side (Schuster and Paliwal 1997).
    pooling : {"last", "mean", "max"} or tuple of these, default=("last", "mean", "max")
        What the head reads of the states of the last layer: the state after the last step (of a
        backward reading, after the first), the mean or the maximum over the steps of the sequence,
        or several of these side by side.
    embedding_dim : int, default=32
        Size of the vector learned for each token, E. Float series have no embedding.
    embedding_init : array-like of shape (V, E), default=None
        First vectors of the tokens, a row for each id, such as those that
        ``crnn.preprocessing.embedding_matrix`` finds for the words of a vectorizer; their width
        replaces ``embedding_dim``. With ``vocabulary_size=None`` ids from V on are read as one
        unknown word.
    embedding_trainable : bool, default=True
        Whether training moves the vectors of the tokens. False freezes them.
    vocabulary_size : int, default=None
        Number of token ids, V: ids run from 0 (padding) to V - 1, and a higher one is an error.
        If None, the largest id seen by ``fit`` sets the size, and all higher ids are read as one
        unknown word, whose vector is zero and never trained.
    bigrams : int, default=0
        Number of vectors for pairs of neighbouring tokens, each of which is given one by its hash;
        0 for none. They are added to the vectors of the tokens. 2**18 suits some 10,000 texts or
        more.
    input : {"auto", "tokens", "series"}, default="auto"
        How to read X. "auto" reads integers (arrays of shape (n_samples, timesteps), or lists of
        integer sequences) as token ids and floats (arrays of shape (n_samples, timesteps) or
        (n_samples, timesteps, features), or lists of 1-D or 2-D arrays) as series. Any container
        of sequences is accepted, such as a pandas, polars or pyarrow column; a mix of integers and
        floats is an error.
    activation : {"tanh", "relu", "sigmoid", "linear"}, default="tanh"
        Activation function of the recurrent layer, f.
    mask_zero : bool, default=True
        If True, token 0 is skipped and the state carried over. If False, padding is read like any
        token, so the state is nonzero where the text starts. Skipped steps do not count for means
        and maxima.
    recurrent_gain : float, default=0.5
        Factor of the orthogonal matrix that ``recurrent_kernel`` starts from. Below 1 the influence
        of a step fades as others follow.
    token_dropout : float, default=0.3 (a regressor: 0.0)
        Probability, in [0, 1), that a token is left out of its sequence, drawn anew for each epoch.
        A sequence keeps at least its first token. Padding is never left out.
    embedding_dropout : float, default=0.5 (a regressor: 0.0)
        Probability, in [0, 1), that a number of a token's vector is zero in a batch, the same
        wherever the token occurs in it; the others are divided by 1 minus this probability.
    word_dropout : float, default=0.0
        The same for whole vectors of tokens.
    bigram_dropout : float, default=0.7
        The same for whole vectors of pairs.
    dropout : float, default=0.0
        The same for the pooled states (Srivastava et al. 2014). It is the only dropout that has an
        effect on float series.
    optimizer : {"rmsprop", "sgd", "adam"}, default="adam"
        Rule that updates the weights from the gradient.
    learning_rate : float, default=2e-3
        Step size of the optimiser.
    learning_rate_schedule : {"constant", "linear", "invscaling", "adaptive"}, default="linear"
        "linear" lets the learning rate fall step by step to 0 at the end of a fit (in
        ``partial_fit``, which has no end, it stays constant); "invscaling" divides it by
        ``epoch ** power_t``, epochs counted from 1; "adaptive" divides it by 5 whenever the loss
        has not gone down for ``n_iter_no_change`` epochs, counted across calls that continue the
        same training.
    power_t : float, default=0.5
        Exponent of "invscaling".
    momentum : float, default=0.0
        Fraction of the previous SGD step that is added to the next, in [0, 1).
    nesterovs_momentum : bool, default=False
        Whether SGD uses Nesterov's momentum.
    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * ||w||^2`` on the weights of the layers, except
        biases and embedding. The losses in ``history_`` do not include it.
    clip_norm : float, default=None
        Largest norm of all gradients of a step together; longer ones are scaled down.
    clip_value : float, default=None
        Largest magnitude of each entry of a gradient, applied before ``clip_norm``.
    batch_size : int or "auto", default="auto"
        Samples per step of the optimiser. "auto" is n_samples / 100, at least 16 and at most 64.
    max_iter : int or "auto", default="auto"
        Number of epochs, the passes over the data. "auto" is as many as make 3,000 steps, or
        as read 100,000 samples if these are fewer; at least 4 and at most 1,000.
    shuffle : bool, default=True
        Whether to draw a new order of the samples for each epoch.
    validation_fraction : float, default=0.0
        Fraction of the samples, in [0, 1), that is held out and evaluated after each epoch. As in
        Keras it is the tail of X, taken before shuffling.
    stratify : bool, default=False
        Draw the held-out samples at random, with the same share of each class, instead of taking
        the tail.
    scoring : str, callable, list, tuple or dict, default=None
        Metrics of the held-out samples after each epoch, stored as ``history_["val_" + name]``:
        names of scikit-learn's scorers, or scorers and functions ``scorer(estimator, X, y)``; one
        of them, a list, or a dict from names to them. A single scorer is stored as "score"; in a
        list it is named after its metric. A function may return a dict from names to scores.
        ``sample_weight`` is passed to scorers that accept it. Files keep only scorers given by
        name, and no callbacks.
    early_stopping : bool, default=False
        Stop after ``n_iter_no_change`` epochs without improvement and restore the best epoch's
        weights; monitors the validation loss, or the training loss if nothing is held out. The
        best weights are also restored if training runs to ``max_iter``. Unlike in scikit-learn's
        networks, nothing is held out unless ``validation_fraction`` is set. With an "adaptive"
        schedule, training stops once a lower learning rate has not helped either.
    n_iter_no_change : int, default=10
        Epochs without improvement before early stopping and the "adaptive" schedule act.
    tol : float, default=1e-4
        The loss must fall below its best value by more than this to count as an improvement.
    callbacks : list of callable, default=None
        Functions called in turn after each epoch of ``fit``, with the estimator as if training had
        ended there; it does end if one of them returns True. See ``crnn.callbacks``.
    warm_start : bool, default=False
        Whether ``fit`` continues from the fitted attributes as they stand.
    dtype : {"float32", "float64"}, default="float32"
        Precision of weights and computation.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the samples and what dropout leaves out. Pass
        an int for reproducible results.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a ``joblib.parallel_config``, -1 means all
        processors; never more than there are processors, or than OMP_NUM_THREADS and
        ``threadpoolctl`` allow OpenMP. The result does not depend on it.
    verbose : int, default=0
        If nonzero, print a line per epoch.
    """

ATTRIBUTES = """
    n_outputs_ : int
        Number of outputs of the head.
    out_activation_ : {"logistic", "softmax", "identity"}
        Activation function of the outputs.
    n_iter_ : int
        Number of epochs trained, across all calls that continued the same training.
    fit_progress_ : tuple of int or None
        Epochs ``(done, total)`` of a fit that is running or was interrupted, else None.
    n_features_in_ : int
        Width of X, if it was an array; sequences in a list may have any length.
    history_ : dict of str -> list of float
        "loss" and "accuracy" ("binary_accuracy", counted per label, for multilabel y;
        "mean_absolute_error" for a regressor) of each epoch, the weighted mean over the samples
        while the weights change. With validation data also the same at the end of each epoch, and
        the metrics of ``scoring``, under names that begin with "val_".
    weights_ : dict of str -> ndarray
        ``"embedding"`` (V, E), for token ids only, with ``vocabulary_size=None`` followed by the
        row of unknown words; ``"bigrams"`` (bigrams, E), if there are any; ``"rnn_0/kernel"`` (E
        or F, H), ``"rnn_0/recurrent_kernel"`` (H, H), ``"rnn_0/bias"`` (H,), with two directions
        ``"rnn_0/backward/kernel"`` and so on, and the same for each further layer;
        ``"head/kernel"`` (P, K), ``"head/bias"`` (K,), with P the
        number of pooled states. They belong to units, not to columns of X: for the importance of
        columns see ``sklearn.inspection.permutation_importance``.
    embedding_, kernel_, recurrent_kernel_, bias_, head_kernel_, head_bias_ : ndarray
        The same arrays; those of the recurrent layer where there is one of one direction.
    """

TEXTS = {
    "parameters": PARAMETERS,
    "attributes": ATTRIBUTES,
    "X_train": """
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, see ``input``.
        """,
    "X": """
        X : {array-like, list of sequences} of n_samples
            Token ids or float series, as in ``fit``.
        """,
    "sample_weight": """
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss, relative to the others: multiplying all of them by
            a constant changes nothing. Held-out samples are evaluated with their own.
        """,
    "sample_weight_of_part": """
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each sample in the loss, relative to the others of this call.
        """,
    "validation_data": """
        X_val, y_val : like X and y, default=None
            Validation data, evaluated after each epoch; replaces ``validation_fraction``.
        """,
    "fit_errors": """
        ValueError
            If the data do not match the parameters; the estimator is left as it was.
        """,
    "partial_fit_errors": """
        ValueError
            If the data do not match the parameters or earlier calls; the estimator is left as it
            was.
        """,
    "given_weights": """
        weights : dict of array-like, or list of array-like
            All weights by the names of ``weights_``, or in the order of ``get_weights``, which is
            that of Keras.
        """,
    "parameters_of_weights": """
        **parameters : dict
            Parameters of the estimator. Those that follow from the weights may be left out: units,
            bidirectional, embedding_dim, bigrams, vocabulary_size (pass None if the last row of the
            embedding is that of unknown words) and dtype ("float64" if all weights have it).
            ``pooling`` has to be passed if it is not the default, and so have ``activation`` and
            ``mask_zero``, which nothing shows.
        """,
    "from_weights_errors": """
        ValueError
            If weights have shapes that do not belong together, are not finite numbers, or disagree
            with a parameter.
        """,
    "errors": """
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If X does not have the kind, width or range of ids that the model was fitted on.
        """,
}
