"""From a stranger's checkpoint to one of our generators: what network it is, its tensors by their official names, its licence.

Read are the snapshots of NVIDIA's stylegan2-ada-pytorch and stylegan3 (`G_ema` of a .pkl) and those of rosinality's
stylegan2-pytorch (`g_ema` of a .pt, whose names are turned into the official ones). Nothing in a file is executed
(`models.stylegan.torch_file`), and nothing in it is believed: shapes are held against the network that they should make.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from models.stylegan.foreign_pickle import Refused, readable
from models.stylegan.layers import MOST_CLASSES
from models.stylegan.stylegan2 import StyleGan2, StyleGan2Config
from models.stylegan.stylegan3 import StyleGan3, StyleGan3Config
from models.stylegan.torch_file import PersistentObject, Storage, StoredTensor, open_foreign

W_AVG: Final = "mapping.w_avg"
W_AVG_SAMPLES: Final = 32768
MOST_NUMBERS: Final = 2**28  # in all tensors of a generator: nine times the largest official one
MOST_READ: Final = 4 * MOST_NUMBERS  # in the storages of all tensors, counted anew for each tensor in one
LARGEST: Final = 4096  # resolution
MOST_MODULES: Final = 10_000
MOST_PARTS: Final = 1000  # of one module
LONGEST_NAME: Final = 100  # of a module or tensor: a full name is made of all of them, for each tensor anew
DEEPEST: Final = 8  # modules in modules; the official ones are 4 deep
LONGEST_LICENCE: Final = 2**16  # characters that are kept of it
BLUR: Final = torch.tensor([1.0, 3.0, 3.0, 1.0])  # of rosinality's files that hold no filters: what all others hold

Config = StyleGan2Config | StyleGan3Config
Stored = dict[str, StoredTensor]


@dataclass(frozen=True)
class Checkpoint:
    """A generator's network and tensors (float32, official names). licence: the text in the file, None if it has none."""

    config: Config
    tensors: dict[str, Tensor]
    licence: str | None


def read_checkpoint(path: Path, label: int | None = None) -> Checkpoint:
    """`label` is the class to draw, of a conditional generator. Raises `UserError` with one line for whatever is wrong."""
    with open_foreign(path) as value:
        network = value.get("G_ema") if isinstance(value, dict) else value
        if isinstance(network, PersistentObject):
            config, stored = _nvidia(network, label)
            licence = _licence(network.source)
        elif isinstance(value, dict) and isinstance(value.get("g_ema", value), dict):
            if "g_ema" not in value and isinstance(value.get("g"), dict):
                raise Refused("it holds g, the generator as it was trained last, but not g_ema, its average, which draws")
            config, stored = _rosinality(value.get("g_ema", value), value.get("latent_avg"), label)
            licence = None
        else:
            raise Refused("no generator is in it: neither G_ema (NVIDIA) nor g_ema (rosinality)")
        tensors = _loaded(config, stored)
    if W_AVG not in stored:
        tensors[W_AVG] = mean_of_w(build(config, tensors))
    return Checkpoint(config, tensors, licence)


def build(config: Config, tensors: Mapping[str, Tensor]) -> StyleGan2 | StyleGan3:
    """The generator in evaluation mode, its weights frozen. The tensors must be all there, of the right shapes."""
    generator = _empty(config)
    generator.load_state_dict(dict(tensors), strict=True, assign=True)
    if config.label is not None:
        generator.mapping.label = torch.zeros(config.c_dim)
        generator.mapping.label[config.label] = 1
    return generator.eval().requires_grad_(False)


def of_class(generator: StyleGan2 | StyleGan3, label: int) -> StyleGan2 | StyleGan3:
    """The same network, drawing another class. Raises `Refused` where it has no such class."""
    config = generator.config.model_copy(update={"label": _label(generator.config.c_dim, label)})
    return build(config, generator.state_dict())


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a generator. Raises `Refused` where they are too many to be true."""
    expected = {name: tuple(tensor.shape) for name, tensor in _empty(config).state_dict().items()}
    total = sum(int(np.prod(shape, dtype=object)) for shape in expected.values())
    if total > MOST_NUMBERS:
        raise Refused(f"the network would have {total} numbers; up to {MOST_NUMBERS} are read")
    return expected


def check_draws(config: Config) -> None:
    """Without weights; seconds of a core. Raises `Refused` where the network draws nothing, or another size than it says."""
    network = _empty(config)
    try:
        drawn = tuple(network.synthesis(torch.empty(1, network.num_ws, config.w_dim, device="meta")).shape)
    except RuntimeError as error:
        raise Refused(f"the network can't draw ({readable(str(error))})") from error
    if drawn != (1, 3, config.resolution, config.resolution):
        raise Refused(f"the network would draw pictures of {drawn[2]} × {drawn[3]}, not of {config.resolution}²")


def mean_of_w(generator: StyleGan2 | StyleGan3) -> Tensor:
    """The mean of w over many z, for files without it: always the same z."""
    z = torch.from_numpy(np.random.RandomState(0).randn(W_AVG_SAMPLES, generator.z_dim)).float()
    return torch.stack([generator.mapping(part).mean(dim=0) for part in z.chunk(32)]).mean(dim=0)


def _empty(config: Config) -> StyleGan2 | StyleGan3:
    with torch.device("meta"):
        return StyleGan2(config) if isinstance(config, StyleGan2Config) else StyleGan3(config)


def _loaded(config: Config, stored: Stored) -> dict[str, Tensor]:
    """The tensors, once their names and shapes are those of the network. Raises `Refused` naming the first that is not."""
    expected = shapes(config)
    check_draws(config)
    for name in expected:
        if name not in stored and name != W_AVG:
            raise Refused(f"the tensor {name} is missing")
        if name in stored and stored[name].size != expected[name]:
            raise Refused(f"the tensor {name} should have the shape {expected[name]}, got {stored[name].size}")
    for name in stored:
        if name not in expected:
            raise Refused(f"the tensor {readable(name)} has no place in a {config.architecture} of {config.resolution}²")
    read = sum(tensor.storage.numel for tensor in stored.values())
    if read > MOST_READ:
        raise Refused(f"its tensors are parts of storages of {read} numbers in all; up to {MOST_READ} are read")
    tensors = {}
    for name in sorted(expected, key=lambda name: id(stored[name].storage) if name in stored else 0):  # each is read once
        tensor = stored[name].load() if name in stored else torch.zeros(expected[name])
        numbers = tensor.float()  # what is finite as float64 need not be so as float32
        if not tensor.dtype.is_floating_point or not numbers.isfinite().all():
            raise Refused(f"the tensor {name} holds something else than finite numbers")
        tensors[name] = numbers
    return {name: tensors[name] for name in expected}


def _nvidia(network: PersistentObject, label: int | None) -> tuple[Config, Stored]:
    """Configuration and tensors of a `Generator` of one of NVIDIA's repositories."""
    mapping, synthesis = _child(network, "mapping"), _child(network, "synthesis")
    fc0 = _child(mapping, "fc0")
    stored = _tensors(network)
    gain = fc0.state.get("weight_gain")
    if not isinstance(gain, float) or "mapping.fc0.weight" not in stored:
        raise Refused("its mapping network is described in a way that is not known")
    width = _length(stored["mapping.fc0.weight"], 1)
    learning_rate = round(gain * width**0.5, 9)
    for name, layer in _modules(mapping).items():
        if name.startswith("fc"):
            _check_layer(name, layer, stored, learning_rate)
    state = network.state
    if state.get("img_channels") != 3:
        raise Refused(f"a generator of 3 colours was expected, this one has {readable(state.get('img_channels'))}")
    common = {
        "resolution": state.get("img_resolution"),
        "z_dim": state.get("z_dim"),
        "c_dim": state.get("c_dim"),
        "w_dim": state.get("w_dim"),
        "mapping_layers": mapping.state.get("num_layers"),
        "mapping_learning_rate": learning_rate,
        "label": _label(state.get("c_dim"), label),
    }
    modules = _modules(synthesis)
    if "b4" in modules:
        return _stylegan2(common, synthesis, stored), stored
    if "input" in modules:
        return _stylegan3(common, synthesis), stored
    raise Refused("its synthesis network is neither that of StyleGAN2 nor that of StyleGAN3")


def _check_layer(name: str, layer: PersistentObject, stored: Stored, learning_rate: float) -> None:
    """A layer of the mapping network. Raises `Refused` where it is computed otherwise than all of them are here."""
    if layer.state.get("activation") != "lrelu":
        raise Refused(f"its mapping.{readable(name)} has another activation than leaky ReLU, the only one that is drawn")
    weight = stored.get(f"mapping.{name}.weight")
    gains = (layer.state.get("weight_gain"), layer.state.get("bias_gain", learning_rate))
    expected = (learning_rate / max(1, 1 if weight is None else _length(weight, 1)) ** 0.5, learning_rate)
    if weight is not None and not all(
        isinstance(gain, float) and math.isclose(gain, wanted, rel_tol=1e-4) for gain, wanted in zip(gains, expected, strict=True)
    ):
        raise Refused(f"its mapping.{readable(name)} learnt at another rate than mapping.fc0; one for all is drawn")


def _stylegan2(common: dict[str, Any], synthesis: PersistentObject, stored: Stored) -> StyleGan2Config:
    layers = []
    for name, block in _modules(synthesis).items():
        if block.state.get("architecture") != "skip":
            raise Refused(f"its block {readable(name)} is not of the kind 'skip', the only one that is drawn")
        layers += list(_modules(block).values())
    for layer in layers:
        if layer.state.get("activation", "lrelu") != "lrelu" or layer.state.get("use_noise", True) is not True:
            raise Refused("a layer in it has another activation than leaky ReLU, or no noise; neither is drawn")
    clamps = {_number(layer.state.get("conv_clamp")) for layer in layers}
    if len(clamps) != 1:
        raise Refused("its layers are clamped to different values; one value for all is drawn")
    resolution = common["resolution"]
    blocks = resolution.bit_length() - 2 if isinstance(resolution, int) and 4 <= resolution <= LARGEST else 0
    names = [f"synthesis.b{4 << b}.conv1.weight" for b in range(blocks)]
    if missing := [name for name in names if name not in stored]:
        raise Refused(f"the tensor {missing[0]} is missing")
    channels = [_length(stored[name], 0) for name in names]
    return _checked(StyleGan2Config, {**common, "channels": channels, "conv_clamp": clamps.pop()})


def _stylegan3(common: dict[str, Any], synthesis: PersistentObject) -> StyleGan3Config:
    arguments = synthesis.state.get("_init_kwargs")
    if not isinstance(arguments, dict) or synthesis.state.get("_init_args", ()) != ():
        raise Refused("its synthesis network is described in a way that is not known")
    given = {key: value for key, value in arguments.items() if key in StyleGan3Config.model_fields and key not in common}
    given |= {key: synthesis.state[key] for key in ("num_layers", "num_critical", "margin_size") if key in synthesis.state}
    config = _checked(StyleGan3Config, {**common, **given})
    if not math.isclose(_number(synthesis.state.get("output_scale")) or config.output_scale, config.output_scale):
        raise Refused("its output_scale is not that of its arguments")
    names = synthesis.state.get("layer_names")
    if names != [layer.name for layer in config.layers]:
        raise Refused(
            f"its layers are not those that its arguments make ({', '.join(layer.name for layer in config.layers[:3])} …)"
        )
    return config


def _rosinality(state: dict[Any, Any], latent_avg: object, label: int | None) -> tuple[Config, Stored]:
    """Configuration and tensors of rosinality's `Generator`, under the official names."""
    if label is not None:
        raise Refused("it draws no classes, and one was asked for", "leave --label away")
    there: Stored = {
        name.removeprefix("module."): tensor  # as torch's DataParallel puts before each
        for name, tensor in state.items()
        if isinstance(name, str) and isinstance(tensor, StoredTensor)
    }
    if "input.input" not in there or "style.1.weight" not in there:
        raise Refused("no generator is in it: neither G_ema (NVIDIA) nor g_ema (rosinality)")
    blocks = sum(1 for b in range(10) if f"to_rgbs.{b}.conv.weight" in there)
    layers = sum(1 for i in range(64) if f"style.{i + 1}.weight" in there)
    stored: Stored = {}

    def take(official: str, name: str, drop: int = 0, keep: int | None = None) -> None:
        """One tensor, without its first `drop` axes, and only `keep` of the others (lengths of 1 are given up)."""
        if name not in there:
            raise Refused(f"the tensor {name} is missing")
        tensor = there[name]
        end = None if keep is None else drop + keep
        given_up = tensor.size[:drop] + (() if end is None else tensor.size[end:])
        if any(length != 1 for length in given_up):
            raise Refused(f"the tensor {name} should not have the shape {tensor.size}")
        stored[official] = StoredTensor(tensor.storage, tensor.offset, tensor.size[drop:end], tensor.stride[drop:end])

    def convolution(official: str, name: str, resolution: int | None, noise: int = 0) -> None:
        """One modulated convolution; `resolution` None is that of an RGB layer, without noise."""
        take(f"{official}.weight", f"{name}.conv.weight", drop=1)
        take(f"{official}.affine.weight", f"{name}.conv.modulation.weight")
        take(f"{official}.affine.bias", f"{name}.conv.modulation.bias")
        if resolution is None:
            take(f"{official}.bias", f"{name}.bias", drop=1, keep=1)
        else:
            take(f"{official}.bias", f"{name}.activate.bias")
            take(f"{official}.noise_strength", f"{name}.noise.weight", keep=0)
            take(f"{official}.noise_const", f"noises.noise_{noise}", drop=2)

    for i in range(layers):
        take(f"mapping.fc{i}.weight", f"style.{i + 1}.weight")
        take(f"mapping.fc{i}.bias", f"style.{i + 1}.bias")
    take("synthesis.b4.const", "input.input", drop=1)
    convolution("synthesis.b4.conv1", "conv1", 4, noise=0)
    convolution("synthesis.b4.torgb", "to_rgb1", None)
    _take_filters(there, stored, blocks)
    for b in range(blocks):
        r = 8 << b
        convolution(f"synthesis.b{r}.conv0", f"convs.{2 * b}", r, noise=2 * b + 1)
        convolution(f"synthesis.b{r}.conv1", f"convs.{2 * b + 1}", r, noise=2 * b + 2)
        convolution(f"synthesis.b{r}.torgb", f"to_rgbs.{b}", None)
    if isinstance(latent_avg, StoredTensor):
        there["latent_avg"] = latent_avg
        take(W_AVG, "latent_avg", drop=len(latent_avg.size) - 1)
    z_dim = _length(there["style.1.weight"], -1)
    config = _checked(
        StyleGan2Config,
        {
            "resolution": 4 << blocks,
            "z_dim": z_dim,
            "w_dim": z_dim,
            "mapping_layers": layers,
            "channels": [_length(stored[f"synthesis.b{4 << b}.conv1.weight"], 0) for b in range(blocks + 1)],
        },
    )
    return config, stored


def _take_filters(there: Stored, stored: Stored, blocks: int) -> None:
    """The filters of features and pictures; rosinality stores them times 4, as upsampling uses them, or not at all."""

    def taps(name: str) -> StoredTensor:
        kernel = there.get(name)
        if kernel is not None and kernel.size != (4, 4):
            raise Refused(f"the tensor {name} should have the shape (4, 4), got {kernel.size}")
        content = (torch.outer(BLUR, BLUR) / BLUR.sum() ** 2 if kernel is None else kernel.load().float() / 4).numpy()
        return StoredTensor(Storage(torch.float32, 16, content.tobytes), 0, (4, 4), (4, 1))

    for layer in ("", "conv1."):  # of 4², where nothing is upsampled
        stored[f"synthesis.b4.{layer}resample_filter"] = taps("convs.0.conv.blur.kernel")
    for b in range(blocks):
        features, block = taps(f"convs.{2 * b}.conv.blur.kernel"), f"synthesis.b{8 << b}."
        stored[f"{block}conv0.resample_filter"] = stored[f"{block}conv1.resample_filter"] = features
        stored[f"{block}resample_filter"] = taps(f"to_rgbs.{b}.upsample.kernel")


def _length(tensor: StoredTensor, axis: int) -> int:
    """How long a tensor is along an axis. Raises `Refused` where it has no such axis."""
    try:
        return tensor.size[axis]
    except IndexError:
        raise Refused(f"a tensor of shape {tensor.size} is where a matrix was expected") from None


def _modules(network: PersistentObject) -> dict[str, PersistentObject]:
    modules = network.state.get("_modules")
    if not isinstance(modules, dict) or len(modules) > MOST_PARTS:
        raise Refused(f"its {readable(network.class_name)} is described in a way that is not known")
    return {_short(name): module for name, module in modules.items() if isinstance(module, PersistentObject)}


def _short(name: object) -> str:
    """A name as text. Raises `Refused` where it is too long to be one."""
    text = str(name)
    if len(text) > LONGEST_NAME:
        raise Refused(f"a part of it has a name of {len(text)} characters; up to {LONGEST_NAME} are read")
    return text


def _child(network: PersistentObject, name: str) -> PersistentObject:
    child = _modules(network).get(name)
    if child is None:
        raise Refused(f"its {readable(network.class_name)} has no part named {name}")
    return child


def _tensors(network: PersistentObject) -> Stored:
    """All parameters and buffers under their full names: the state dictionary."""
    stored: Stored = {}
    todo = [("", network)]
    for _ in range(MOST_MODULES):
        if not todo:
            return stored
        prefix, module = todo.pop()
        for kind in ("_parameters", "_buffers"):
            held = module.state.get(kind)
            if not isinstance(held, dict) or len(held) > MOST_PARTS:
                raise Refused(f"its {readable(module.class_name)} is described in a way that is not known")
            stored |= {f"{prefix}{_short(name)}": tensor for name, tensor in held.items() if isinstance(tensor, StoredTensor)}
        children = _modules(module)
        if prefix.count(".") > DEEPEST or len(stored) + len(children) > MOST_MODULES:
            break
        todo += [(f"{prefix}{name}.", child) for name, child in children.items()]
    raise Refused("its modules are nested deeper, or are more, than those of a generator")


def _label(c_dim: object, label: int | None) -> int | None:
    """The class to draw. Raises `Refused` where one has to be named, or has no meaning."""
    if isinstance(c_dim, int) and 0 < c_dim <= MOST_CLASSES and not (label is not None and 0 <= label < c_dim):
        raise Refused(f"it draws {c_dim} classes, and one of them has to be chosen", f"add --label N, 0 to {c_dim - 1}")
    if c_dim == 0 and label is not None:
        raise Refused("it draws no classes, and one was asked for", "leave --label away")
    return label


def _number(value: object) -> float | None:
    if value is not None and not isinstance(value, (int, float)):
        raise Refused("a layer in it is described in a way that is not known")
    return value


ConfigType = TypeVar("ConfigType", StyleGan2Config, StyleGan3Config)


def _checked(kind: type[ConfigType], values: dict[str, Any]) -> ConfigType:
    """The configuration. Raises `Refused` naming the first value that can't be."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "network"
        raise Refused(f"its {place} is not that of a generator: {first['msg'].removeprefix('Value error, ').lower()}") from error


def _licence(source: str) -> str | None:
    """The comment at the top of the source text that NVIDIA's pickles carry: copyright and terms."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), source.lstrip().splitlines())
    text = "\n".join(line.removeprefix("#").strip() for line in lines).strip()
    return (text if len(text) <= LONGEST_LICENCE else f"{text[:LONGEST_LICENCE]} …") or None
