"""A network as a module of PyTorch; imported by ``to_torch`` only."""

import torch
from torch import nn


class SimpleRNNModule(nn.Module):
    """Embedding, ``nn.RNN``, pooling and ``nn.Linear``, which gives logits.

    ``forward(x, lengths=None)`` reads ids (B, T), or series (B, T, F) of which ``lengths`` (B,)
    may say how long each is. With ``mask_zero`` ids 0 are skipped wherever they are.
    """

    def __init__(self, description):
        super().__init__()
        self.description = description
        sizes = description.sizes
        dtype = getattr(torch, description.dtype)
        if sizes.vocabulary_size is not None:
            self.embedding = nn.Embedding(sizes.vocabulary_size, sizes.n_features, dtype=dtype)
        self.rnn = nn.RNN(
            sizes.n_features,
            sizes.units[0],
            num_layers=len(sizes.units),
            nonlinearity=description.activation,
            batch_first=True,
            bidirectional=sizes.bidirectional,
            dtype=dtype,
        )
        width = sizes.n_states * len(description.pooling)
        self.head = nn.Linear(width, sizes.n_outputs, dtype=dtype)

    def forward(self, x, lengths=None):
        """Logits (B, K)."""
        if self.description.sizes.vocabulary_size is not None:
            x, lengths = self._embedded(x)
        elif lengths is None:
            lengths = torch.full((len(x),), x.shape[1])
        # PyTorch packs no empty sequences: they read one step, which does not count.
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
        )
        steps, last = self.rnn(packed)
        steps, _ = nn.utils.rnn.pad_packed_sequence(
            steps, batch_first=True, total_length=x.shape[1]
        )
        n_readings = 2 if self.description.sizes.bidirectional else 1
        lengths = lengths.to(x.device)[:, None]
        kept = (torch.arange(x.shape[1], device=x.device) < lengths)[..., None]
        pools = {
            "last": lambda: torch.cat(tuple(last[-n_readings:]), dim=1),
            "mean": lambda: steps.where(kept, 0).sum(1) / lengths.clamp(min=1),
            "max": lambda: steps.where(kept, -torch.inf).amax(1),
        }
        pooled = torch.cat([pools[name]() for name in self.description.pooling], dim=1)
        return self.head(pooled.where(lengths > 0, 0))

    def _embedded(self, ids):
        """Vectors of the tokens that count, moved to the front, and their numbers."""
        if self.description.open_vocabulary:  # whose last row is that of unknown words
            ids = ids.clamp(max=self.description.sizes.vocabulary_size - 1)
        kept = ids != 0 if self.description.mask_zero else torch.ones_like(ids, dtype=torch.bool)
        order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
        return self.embedding(ids.gather(1, order)), kept.sum(1)
