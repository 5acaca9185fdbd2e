"""Written by scripts/make_stubs.py: the arguments of the Lit classes, for editors and type checkers."""

from collections.abc import Sequence
from typing import Any, Literal

from torch.nn import Module

from lit_cnn.training.lit_network import LitNetwork
from lit_cnn.typed_arguments import PositiveFloat, PositiveInt, Share

class LitMLP(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        hidden: Sequence[PositiveInt] = ...,
        dropout: Share = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitCNN(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        widths: Sequence[PositiveInt] = ...,
        hidden: Sequence[PositiveInt] = ...,
        kernel_size: PositiveInt = ...,
        dropout: Share = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitLeNet(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        widths: Sequence[PositiveInt] = ...,
        hidden: Sequence[PositiveInt] = ...,
        kernel_size: PositiveInt = ...,
        dropout: Share = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitPointwiseCNN(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        widths: Sequence[PositiveInt] = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitDilatedCNN(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        width: PositiveInt = ...,
        dilations: Sequence[PositiveInt] = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitAlexNet(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] | None = ...,
        stem: Literal['imagenet', 'small', 'auto'] = ...,
        hidden: PositiveInt = ...,
        dropout: Share = ...,
        lrn: bool = ...,
        init: Literal['torch', 'paper'] = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitZFNet(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] | None = ...,
        stem: Literal['imagenet', 'small', 'auto'] = ...,
        widths: Sequence[PositiveInt] = ...,
        hidden: PositiveInt = ...,
        dropout: Share = ...,
        lrn: bool = ...,
        init: Literal['torch', 'paper'] = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitVGG(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        name: Literal['vgg8_bn', 'vgg11', 'vgg11_bn', 'vgg13', 'vgg13_bn', 'vgg16', 'vgg16_bn', 'vgg19', 'vgg19_bn'] = ...,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] | None = ...,
        widths: Sequence[PositiveInt | Literal['M']] | None = ...,
        batch_norm: bool | None = ...,
        stem: Literal['imagenet', 'small', 'auto'] = ...,
        dropout: Share = ...,
        init: Literal['he', 'paper', 'torch'] | None = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitGoogLeNet(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] | None = ...,
        stem: Literal['imagenet', 'small', 'auto'] = ...,
        dropout: Share = ...,
        dropout_aux: Share = ...,
        true_5x5: bool = ...,
        lrn: bool = ...,
        init: Literal['truncated', 'torch'] = ...,
        transform_input: bool = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        aux_weight: float = ...,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitInceptionV2(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] | None = ...,
        stem: Literal['imagenet', 'small', 'auto'] = ...,
        dropout: Share = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitInceptionV3(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] | None = ...,
        stem: Literal['imagenet', 'small', 'auto'] = ...,
        dropout: Share = ...,
        init: Literal['truncated', 'torch'] = ...,
        transform_input: bool = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        aux_weight: float = ...,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitResNet(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        name: Literal['resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152', 'resnext50_32x4d', 'resnext101_32x8d', 'wide_resnet50_2', 'wide_resnet101_2'] = ...,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] | None = ...,
        stem: Literal['imagenet', 'small', 'auto'] = ...,
        zero_init_residual: bool = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitCIFARResNet(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        name: Literal['resnet20', 'resnet32', 'resnet44', 'resnet56', 'resnet110', 'resnext29_8x64d'] = ...,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        zero_init_residual: bool = ...,
        residual: bool = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitPreActResNet(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        name: Literal['preact_resnet18', 'wide_resnet16_4', 'wide_resnet28_10'] = ...,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        dropout: Share = ...,
        zero_init_residual: bool = ...,
        weights: str | None = ...,
        freeze_body: bool = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...

class LitAirbench(LitNetwork):
    @staticmethod
    def network(**kwargs: Any) -> Module: ...
    def __init__(
        self,
        name: Literal['airbench94', 'airbench96'] = ...,
        in_channels: int = ...,
        num_classes: int = ...,
        image_size: int | Sequence[int] = ...,
        widths: Sequence[PositiveInt] | None = ...,
        *,
        lr: PositiveFloat = ...,
        optimizer: str = ...,
        optimizer_args: dict[str, Any] | None = ...,
        scheduler: str | None = ...,
        scheduler_args: dict[str, Any] | None = ...,
        scheduler_interval: Literal['epoch', 'step'] = ...,
        param_groups: list[dict[str, Any]] | None = ...,
        loss: Literal['cross_entropy', 'nll', 'hinge'] = ...,
        label_smoothing: Share = ...,
        sum_loss: bool = ...,
        decay_norms_and_biases: bool = ...,
        norm_momentum: Share | None = ...,
        test_time_flip: bool = ...,
        test_views: Literal['flip', 'flip_translate'] | None = ...,
        compile: Literal['default', 'reduce-overhead', 'max-autotune'] | None = ...,
    ) -> None: ...
