"""A small Vision Transformer behind the interface of `Classifier`.

Shape legend: N images, C channels, H height, W width, T tokens (class token first), D features,
K classes, h w patches along each side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torchvision.models import VisionTransformer
from torchvision.models.vision_transformer import EncoderBlock

from pipeline.core.errors import InputError
from pipeline.models.interface import Classifier

PATCHES = 8  # along each side, whatever the image's size: the cells of its GradCAM maps
DEPTH, HEADS, HIDDEN, MLP = 6, 3, 192, 384


class Tokens(nn.Module):
    """Patches to tokens: linear embedding, a class token in front, learned positions."""

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        self.conv_proj: nn.Conv2d = net.conv_proj
        self.class_token = net.class_token
        self.pos_embedding = net.encoder.pos_embedding

    def forward(self, pixels_NCHW: Tensor) -> Tensor:
        patches_NTD = self.conv_proj(pixels_NCHW).flatten(2).transpose(1, 2)
        first_N1D = self.class_token.expand(len(pixels_NCHW), -1, -1)
        tokens: Tensor = torch.cat([first_N1D, patches_NTD], dim=1) + self.pos_embedding
        return tokens

    def reset_parameters(self) -> None:
        """Draw its own parameters anew; the embedding's are redrawn by the embedding."""
        nn.init.zeros_(self.class_token)
        nn.init.normal_(self.pos_embedding, std=0.02)


class VitClassifier(Classifier):
    """Pixel normalization, patch tokens, transformer blocks, a linear head on the class token.

    `stages` are the tokens, the blocks and the last LayerNorm, so that whoever walks over the
    stages of a network needs to know nothing of tokens.
    """

    def embed(self, pixels_NCHW: Tensor) -> Tensor:
        """The class token before the head, N x n_features."""
        # Plain matrix products: the fused kernels have no per-sample gradients under vmap, and at 65
        # tokens they gain nothing.
        with sdpa_kernel(SDPBackend.MATH):
            tokens_NTD = self.stages((pixels_NCHW - self.mean) / self.std)
        first: Tensor = tokens_NTD[:, 0]
        return first

    def map_layers(self) -> list[str]:
        """The first LayerNorm of every block, as the grad-cam package recommends.

        After the last block only the class token matters, so nothing later has a gradient on patches.
        """
        blocks = self.stages.named_children()
        return [f"stages.{name}.ln_1" for name, stage in blocks if isinstance(stage, EncoderBlock)]

    def to_map(self, output: Tensor) -> Tensor:
        """Tokens N x T x D as a map N x D x h x w, the class token left out; maps stay as they are."""
        return tokens_to_map(output) if output.ndim == 3 else output


def tokens_to_map(tokens_NTD: Tensor) -> Tensor:
    """Patch tokens back in their places, N x D x h x w; the first token is no patch."""
    n, n_tokens, _ = tokens_NTD.shape
    side = math.isqrt(n_tokens - 1)
    return tokens_NTD[:, 1:].transpose(1, 2).reshape(n, -1, side, side)


def build_vit(
    image_size: int | None,
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    depth: int = DEPTH,
    hidden: int = HIDDEN,
    mlp: int = MLP,
) -> VitClassifier:
    """Torchvision's Vision Transformer with 8 x 8 patches and weights from torch's generator.

    Raises:
        InputError: `image_size` is unknown or no multiple of 8.
    Source: Dosovitskiy et al. 2021 (arXiv:2010.11929); width and heads of its Ti model (Touvron et
    al. 2021, arXiv:2012.12877) at half the depth and half the MLP.
    """
    if image_size is None or image_size < PATCHES or image_size % PATCHES:
        below = max(PATCHES, (image_size or 0) // PATCHES * PATCHES)
        raise InputError(
            f"train.model = vit_tiny at data.image_size = {image_size}: the side must be a multiple of "
            f"{PATCHES}. Use {below} or {below + PATCHES}, or another model."
        )
    net = VisionTransformer(
        image_size=image_size,
        patch_size=image_size // PATCHES,
        num_layers=depth,
        num_heads=HEADS,
        hidden_dim=hidden,
        mlp_dim=mlp,
        num_classes=n_classes,
    )
    stages = nn.Sequential(Tokens(net), *net.encoder.layers, net.encoder.ln)
    return VitClassifier(stages, hidden, n_classes, mean, std)
