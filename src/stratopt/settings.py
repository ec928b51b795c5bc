"""Every setting of stratopt, typed, with its unit in its name, and where it may come from."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from stratopt.machine import usable_cores
from stratopt.settings_file import config_files, read_settings

LEAST_WORKER_MEGABYTES = 256


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "stratopt"


class SettingFields(BaseModel):
    """Names, types and limits: what a configuration file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path = Field(
        default_factory=_default_data_dir, description="database, imported market data, artefacts; one server at a time"
    )
    strategy_folder: Path | None = Field(default=None, description="folder with your own strategies (`*.py`)")
    workers: int = Field(
        default_factory=usable_cores, ge=1, le=1024, description="worker processes; one per usable core by default"
    )
    worker_memory_limit_megabytes: int | None = Field(
        default=None,
        ge=0,
        description="memory of one worker, 0 for no limit; an allocation beyond it fails the job. By default an equal share of "
        "the memory that this machine or container has, at least 1024 MB",
    )
    recycle_worker_after_jobs: int = Field(default=200, ge=1, description="a worker is replaced after so many jobs")
    checkpoint_seconds: float = Field(
        default=5.0,
        gt=0,
        description="how often a search is written down, so that a killed worker costs no more than that",
    )
    minimum_free_memory_megabytes: int = Field(
        default=256, ge=0, description="no job starts while the machine has less free memory"
    )
    minimum_free_disk_megabytes: int = Field(
        default=200, ge=0, description="submissions are refused while the data directory has less free disk"
    )
    maximum_load_per_core: float = Field(
        default=8.0,
        gt=0,
        description="while the machine's load average per core is higher, only one job runs at a time",
    )
    max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, description="largest request body")
    max_jobs: int = Field(default=10_000, ge=1, description="jobs of one batch")
    max_evaluations: int = Field(default=20_000_000, ge=1, description="evaluations of one batch")
    max_queued_jobs: int = Field(
        default=100_000,
        ge=1,
        description="jobs that may wait, over all batches; beyond it a submission is answered 503",
    )
    max_active_batches: int = Field(default=1_000, ge=1, description="unfinished batches of one API key; beyond it 429")
    max_streams: int = Field(default=256, ge=1, description="open event streams of one API key; beyond it 429")
    submissions_per_minute: int = Field(
        default=120, ge=1, description="rate limit of submissions and other writes, per API key or address"
    )
    reads_per_minute: int = Field(default=3_000, ge=1, description="rate limit of reads, per API key or address")
    allowed_hosts: str = Field(
        default="127.0.0.1,localhost,::1",
        description="host names that requests may be addressed to, separated by commas",
    )
    docs: bool = Field(
        default=True, description="whether the documentation of the API is served: `/docs` and `/openapi.json`"
    )
    retention_days: float = Field(
        default=30.0,
        gt=0,
        description="how long finished batches and messages of webhooks are kept, and expired batches known afterwards",
    )
    webhooks: bool = Field(
        default=False, description="whether receivers may be registered that hear of the end of batches"
    )
    webhook_allow_http: bool = Field(default=False, description="whether a receiver may have an http:// address")
    webhook_allowed_networks: str = Field(
        default="",
        description="networks that are not public and may be sent to all the same, as `10.1.2.0/24,127.0.0.0/8`",
    )
    webhook_timeout_seconds: float = Field(default=15.0, gt=0, le=60, description="longest time of one attempt")
    webhook_max_attempts: int = Field(default=10, ge=1, le=20, description="attempts before a message is given up")
    webhook_first_pause_seconds: float = Field(
        default=5.0, gt=0, description="pause after the first failure; it grows fourfold each time, up to a day"
    )
    traces: bool = Field(
        default=False,
        description="whether spans of requests, batches and jobs are sent by OTLP (needs the extra `otel`; `OTEL_*` variables say where to)",
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="`DEBUG`, `INFO`, `WARNING`, `ERROR`"
    )
    database_max_pages: int | None = Field(
        default=None, ge=1, description="most pages of 4096 bytes that the database may grow to; no limit by default"
    )
    server: str = Field(default="http://127.0.0.1:8000", description="server that `stratopt batch` talks to")
    api_key_file: Path | None = Field(default=None, description="file with the API key that `stratopt batch` sends")
    crash_point: str | None = Field(
        default=None,
        description="for tests: kill the server there, as `finish.before_commit` or `finish.after_commit:3`",
    )

    @field_validator("worker_memory_limit_megabytes")
    @classmethod
    def _is_enough_to_start(cls, megabytes: int | None) -> int | None:
        if megabytes and megabytes < LEAST_WORKER_MEGABYTES:
            raise ValueError(
                f"{megabytes} MB are too few for a worker; take {LEAST_WORKER_MEGABYTES} or more, or 0 for no limit"
            )
        return megabytes

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            ipaddress.ip_network(part)
        return text


class Settings(BaseSettings, SettingFields):
    """Arguments, before ``STRATOPT_`` + the name in capitals, before the project's file, before the user's, before defaults."""

    model_config = SettingsConfigDict(env_prefix="STRATOPT_", env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the configuration files behind the environment."""
        files = [InitSettingsSource(settings_cls, read_settings(path, SettingFields)) for _, path in config_files()]
        return (init_settings, env_settings, *files)

    @property
    def retention_seconds(self) -> float:
        """``retention_days`` in seconds."""
        return self.retention_days * 86_400.0

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "stratopt.sqlite"

    @property
    def artifact_folder(self) -> Path:
        """Content-addressed tables of results, by batch."""
        return self.data_dir / "artifacts"

    @property
    def checkpoint_folder(self) -> Path:
        """Searches of unfinished jobs, by batch and job."""
        return self.data_dir / "checkpoints"
