"""Is somebody speaking? silero-vad's network, read from its wheel as plain arrays and run in torch.

Silero Team: Silero VAD (github.com/snakers4/silero-vad, MIT). 512 samples at 16 kHz with the 64 before them go through
a learnt short-time Fourier transform, four convolutions and an LSTM cell, which carries its state from chunk to chunk.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import onnx
import onnx.numpy_helper
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from torch import Tensor, nn

from models.carrier import package_folder
from models.errors import UserError

SAMPLE_RATE: Final = 16_000
CHUNK: Final = 512  # samples, 32 ms
_CONTEXT: Final = 64  # samples before the chunk that the network sees again
_PAD: Final = 64
_BINS: Final = 129
# The network's confidence decays after about half a minute of carried state (silero-vad, issue 725).
_RESET_AFTER: Final = 20 * SAMPLE_RATE // CHUNK
_RESET_SILENCE: Final = SAMPLE_RATE // CHUNK  # chunks of silence after which starting anew loses nothing
SPEECH_PROBABILITY: Final = 0.5
_DILATION: Final = 2  # chunks
_SILENT: Final = 0.15  # probability
_FILE: Final = "silero_vad_16k_op15.onnx"  # the arrays of the TorchScript model that the package loads by default
# The network hears loud voices only: of voices at -70 dB full scale it misses more than half. So quiet sound is made louder for
# it, by the level of the loudest chunk that was heard, which is forgotten slowly: a pause is no reason to listen closer.
_LOUD_ENOUGH: Final = 10 ** (-24 / 20)  # root mean square, full scale 1
_MOST_GAIN: Final = 10 ** (46 / 20)
_FORGET: Final = 10 ** (-4 / 20 * CHUNK / SAMPLE_RATE)  # per chunk: 4 dB a second
_NAMES: Final = {
    "stft.forward_basis_buffer": "stft_conv.weight",
    **{f"encoder.{i}.reparam_conv.{kind}": f"conv{i + 1}.{kind}" for i in range(4) for kind in ("weight", "bias")},
    **{f"decoder.rnn.{name}": f"lstm_cell.{name}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")},
    **{f"decoder.decoder.2.{kind}": f"final_conv.{kind}" for kind in ("weight", "bias")},
}

State = tuple[Tensor, Tensor]
_WIDTH: Final = 128
N_STATE: Final = 2 * _WIDTH
"""Numbers that a chunk leaves in the network: what it is embedded in, and the memory after it."""
RECENT: Final = 8  # chunks
Outburst = Callable[[Tensor], float]
"""Of what the newest chunks left, the newest last: (n, N_STATE), at most RECENT of them -> how likely it is that a voice bursts
out without words."""


class SileroNetwork(nn.Module):
    """One step: chunks with context (batch, 576) and the LSTM's state -> probability of speech (batch,), new state."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * _BINS, 256, stride=128, bias=False)
        self.conv1 = nn.Conv1d(_BINS, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, _WIDTH, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(_WIDTH, _WIDTH)
        self.final_conv = nn.Conv1d(_WIDTH, 1, 1)

    @classmethod
    def load(cls) -> "SileroNetwork":
        """From the installed package `silero-vad`. Raises UserError if it is missing or its file is damaged."""
        path = package_folder("silero_vad", "run: pip install silero-vad") / "data" / _FILE
        network = cls()
        try:
            arrays = {array.name.removeprefix("model."): array for array in onnx.load(path).graph.initializer}
            network.load_state_dict(
                {ours: torch.from_numpy(onnx.numpy_helper.to_array(arrays[theirs]).copy()) for theirs, ours in _NAMES.items()}
            )
        except (OSError, DecodeError, RuntimeError, KeyError) as error:
            raise UserError(
                f"cannot read the weights of silero-vad at {path}; reinstall it: pip install --force-reinstall silero-vad"
            ) from error
        return network.eval()

    def start(self, batch: int = 1) -> State:
        """The state before any sound."""
        return torch.zeros(batch, _WIDTH), torch.zeros(batch, _WIDTH)

    def embed(self, chunks: Tensor) -> Tensor:
        """Chunks with context (batch, 576) -> (batch, 128), the part without memory."""
        x = nn.functional.pad(chunks.unsqueeze(1), (0, _PAD), mode="reflect").squeeze(1)
        x = x.unfold(-1, *self.stft_conv.kernel_size, *self.stft_conv.stride) @ self.stft_conv.weight.squeeze(1).T
        x = (x[..., :_BINS].square() + x[..., _BINS:].square()).sqrt()
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = _convolved(x, conv).relu()
        return x.squeeze(1)

    def remember(self, embedded: Tensor, state: State) -> tuple[Tensor, State]:
        """Embedded chunk (batch, 128) and state -> probability (batch,), new state."""
        h, c = self.lstm_cell(embedded, state)
        probability: Tensor = self.final_conv(h.relu().unsqueeze(-1)).sigmoid().flatten()
        return probability, (h, c)


def _convolved(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """(batch, time, channels) -> the same with the convolution's stride and channels. As one product of matrices: for a few
    steps of time torch's own convolution takes three times as long."""
    reach, stride = conv.kernel_size[0], conv.stride[0]
    near = nn.functional.pad(x, (0, 0, reach // 2, reach // 2)).unfold(1, reach, stride).flatten(2)
    return nn.functional.linear(near, conv.weight.flatten(1), conv.bias)


def with_context(samples: Tensor) -> Tensor:
    """Sound (n,) from its beginning -> all whole chunks with their context (n // 512, 576)."""
    whole = samples.shape[-1] // CHUNK * CHUNK
    return nn.functional.pad(samples[:whole], (_CONTEXT, 0)).unfold(-1, _CONTEXT + CHUNK, CHUNK)


def loudness_of(chunks: Tensor, before: float) -> NDArray[np.float64]:
    """Chunks with context (n, 576) and the loudness before them -> at each chunk (n,): the largest root mean square so far, the
    older the less."""
    loudest, found = before, []
    for level in chunks[:, _CONTEXT:].square().mean(-1).sqrt().tolist():
        loudest = max(level, loudest * _FORGET)
        found.append(loudest)
    return np.array(found)


def levelled(chunks: Tensor, loudness: NDArray[np.float64]) -> Tensor:
    """Chunks with context (n, 576), made louder where the loudness (n,) so far is small."""
    gain = (_LOUD_ENOUGH / np.maximum(loudness, 1e-9)).clip(1.0, _MOST_GAIN)
    return chunks * torch.from_numpy(gain.astype(np.float32))[:, None]


def speech_chunks(probabilities: Sequence[float]) -> NDArray[np.bool_]:
    """Probabilities of successive chunks -> whether each belongs to speech, 64 ms around it included: consonants count."""
    speech = np.asarray(probabilities, np.float32) >= SPEECH_PROBABILITY
    reach = np.convolve(speech, np.ones(2 * _DILATION + 1), mode="same") if len(speech) else speech
    return np.asarray(reach[: len(speech)] > 0.5)


class VoiceActivity:
    """Streaming voice activity: any number of samples in, one probability per finished chunk of 32 ms out."""

    def __init__(self, network: SileroNetwork, outburst: Outburst | None = None) -> None:
        """Speech is voice, and, where it can be told, what bursts out without words."""
        self._network, self._outburst = network, outburst
        self.reset()

    def reset(self) -> None:
        """Forget the sound so far."""
        self._pending = np.zeros(_CONTEXT, np.float32)
        self._loudness = 0.0
        self._recent: list[Tensor] = []
        self.spoken: list[float] = []
        """How likely each chunk of the last step is speech, bursts aside."""
        self._start_anew()

    def _start_anew(self) -> None:
        self._state = self._network.start()
        self._chunks_since_start = 0
        self._silent_chunks = 0

    @torch.no_grad()
    def step(self, samples: NDArray[np.float32]) -> list[float]:
        """Samples: float32 (n,), full scale 1, following those of the last call."""
        self.spoken = []
        self._pending = np.concatenate([self._pending, samples])
        probabilities: list[float] = []
        whole = (len(self._pending) - _CONTEXT) // CHUNK
        if whole == 0:
            return probabilities
        chunks = torch.from_numpy(self._pending[: _CONTEXT + whole * CHUNK]).unfold(0, _CONTEXT + CHUNK, CHUNK)
        self._pending = self._pending[whole * CHUNK :]
        loudness = loudness_of(chunks, self._loudness)
        self._loudness = float(loudness[-1])
        for embedded in self._network.embed(levelled(chunks, loudness)):
            spoken, self._state = self._network.remember(embedded[None], self._state)
            speech = float(spoken)
            self.spoken.append(speech)
            probabilities.append(speech)
            if self._outburst is not None:
                self._recent = [*self._recent[1 - RECENT :], torch.cat([embedded, self._state[0][0]])]
                probabilities[-1] = max(speech, self._outburst(torch.stack(self._recent)))
            self._chunks_since_start += 1
            self._silent_chunks = self._silent_chunks + 1 if speech < _SILENT else 0
            if self._silent_chunks >= _RESET_SILENCE or self._chunks_since_start >= _RESET_AFTER:
                self._start_anew()
        return probabilities
