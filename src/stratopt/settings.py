"""Every environment variable of stratopt, typed, with its unit in its name."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "stratopt"


class Settings(BaseSettings):
    """``STRATOPT_`` + the name in capitals, for example ``STRATOPT_DATA_DIR``."""

    model_config = SettingsConfigDict(env_prefix="STRATOPT_", extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=_default_data_dir, description="Database, market data, artefacts.")
    strategy_folder: Path | None = Field(default=None, description="Folder with the operator's own strategies (*.py).")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024, description="Worker processes.")
    worker_memory_limit_megabytes: int | None = Field(
        default=None, ge=256, description="Memory of one worker; none by default."
    )
    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, description="Largest request body.")
    max_jobs: int = Field(default=10_000, ge=1, description="Jobs of one batch.")
    max_evaluations: int = Field(default=20_000_000, ge=1, description="Evaluations of one batch.")
    retention_days: float = Field(default=30.0, gt=0, description="How long finished batches are kept.")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "stratopt.sqlite"

    @property
    def artifact_folder(self) -> Path:
        """Content-addressed tables."""
        return self.data_dir / "artifacts"
