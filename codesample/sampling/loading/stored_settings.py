"""What a checkpoint's config.json says, read as it stands: no class of transformers and no code is asked."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from codesample.errors import ModelError
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin
from codesample.sampling.loading.load_errors import load_error, untrusted

__all__ = ["stored_settings"]


def stored_settings(origin: CheckpointOrigin) -> dict[str, Any]:
    """Return the checkpoint's settings.

    Raises:
        HubUnavailableError: it is not on this machine, with the hub out of reach.
        ModelError: they cannot be read, or the checkpoint needs code of its own and is not trusted.
    """
    try:
        settings, _ = PreTrainedConfig.get_config_dict(
            origin.source, revision=origin.revision, gguf_file=origin.gguf_file
        )
    except Exception as error:
        raise load_error(error, origin) from error
    if not isinstance(settings, dict):
        raise ModelError(f"{origin.name}: config.json is no table of settings; expected a JSON object")
    known = settings.get("model_type") in CONFIG_MAPPING
    if settings.get("auto_map") and not known and not origin.trusted:
        raise untrusted(origin)
    return settings
