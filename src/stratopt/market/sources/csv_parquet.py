"""Import of price files: CSV (also .gz and .zip with one member) and Parquet."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stratopt.errors import MarketDataError
from stratopt.kernels.arrays import AnyArray, Int64Array1D
from stratopt.market.acceptance import Imported, accept
from stratopt.market.formats import Format, detect, layout_of, preset
from stratopt.market.frames import PRICES, columns_of
from stratopt.market.inference import require_distance
from stratopt.market.raw_series import RawSeries
from stratopt.market.sources.date_and_time import date_and_time
from stratopt.market.stamps import epoch_to_ms, stamps_to_ms
from stratopt.market.symbols import checked_symbol
from stratopt.market.timeframe import Calendar, Timeframe

if TYPE_CHECKING:
    import pandas as pd

_HEAD_LINES = 25
_HOUR_MS = 3_600_000


def import_file(
    path: Path,
    *,
    symbol: str,
    format: str = "auto",
    timeframe: str | Timeframe | None = None,
    calendar: str | Calendar | None = None,
    repairs: Collection[str] = (),
    now_ms: int | None = None,
) -> Imported:
    """Read ``path``, check it, repair what was chosen, and refuse it when errors remain.

    Parameters
    ----------
    format : str
        ``auto`` or a preset of ``market.formats``; Parquet files need none.
    timeframe, calendar : optional
        Told from the stamps (and the preset) when not given; a timeframe longer than the distance of the bars is refused.
    repairs : collection of str
        Names out of ``market.repair``; without any, a file with an error is refused.

    Raises
    ------
    MarketDataError
        ``unreadable_file``, ``unknown_format``, ``unknown_repair``, ``unknown_timeframe``, ``invalid_symbol``, or ``invalid_bars`` whose context
        holds the report.
    """
    raw, format_name = read_file(path, symbol=symbol, format=format, timeframe=timeframe, calendar=calendar)
    facts = {
        "description": f"imported from {path.name}",
        "file": path.name,
        "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "format": format_name,
    }
    return accept(raw, facts, repairs=repairs, now_ms=now_ms)


def read_file(
    path: Path,
    *,
    symbol: str,
    format: str = "auto",
    timeframe: str | Timeframe | None = None,
    calendar: str | Calendar | None = None,
) -> tuple[RawSeries, str]:
    """The unchecked series in ``path`` and the name of its format; for ``validate`` and ``import_file``.

    MarketDataError as for ``import_file``, and ``unknown_timeframe`` where most bars are closer than ``timeframe`` says.
    """
    raw, format_name = _unchecked(path, symbol, format, timeframe, calendar)
    if timeframe is not None:
        require_distance(np.unique(raw.open_time), raw.timeframe, raw.symbol)
    return raw, format_name


def _unchecked(
    path: Path, symbol: str, format: str, timeframe: str | Timeframe | None, calendar: str | Calendar | None
) -> tuple[RawSeries, str]:
    name = checked_symbol(symbol)
    content = _content(path)
    if content[:4] == b"PAR1":
        return RawSeries.of(name, columns_of(_parquet(content, path), name), timeframe, calendar), "parquet"
    text = _text(content, path)
    head = text[:20_000].splitlines()[:_HEAD_LINES]
    chosen = preset(detect(head) if format == "auto" else format)
    columns = _columns(_table(text, head, chosen, path), chosen, path)
    if chosen.newest_first and (np.diff(columns["open_time"]) <= 0).all():
        columns = {key: column[::-1] for key, column in columns.items()}
    market = chosen.calendar if calendar is None else calendar
    return RawSeries.of(name, columns, timeframe, market), chosen.name


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            return gzip.decompress(content)
        if content[:4] == b"PK\x03\x04":
            return _only_member(content, path)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error
    return content


def _only_member(content: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [name for name in archive.namelist() if name.lower().endswith((".csv", ".parquet"))]
        if len(members) != 1:
            raise _unreadable(path, f"the archive holds {len(members)} CSV or Parquet files, not one")
        return archive.read(members[0])


def _text(content: bytes, path: Path) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error
    if not text.strip():
        raise _unreadable(path, "it is empty")
    return text


def _parquet(content: bytes, path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _table(text: str, head: list[str], format_: Format, path: Path) -> Any:
    import pandas as pd

    layout = layout_of(head, format_, path.name)
    names: dict[str, Any] = {"header": 0} if layout.has_header else {"header": None, "names": list(format_.columns)}
    try:
        frame: Any = pd.read_csv(
            io.StringIO(text),
            sep=layout.separator,
            skiprows=layout.skip_lines,
            index_col=False,
            skip_blank_lines=False,
            **names,
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise _unreadable(path, error) from error
    frame.columns = frame.columns.astype(str).str.strip().str.lower()
    frame.index += layout.skip_lines + 1 + layout.has_header  # the line in the file, for messages
    return frame.dropna(how="all")


def _columns(frame: Any, format_: Format, path: Path) -> dict[str, AnyArray]:
    stamp = next((name for name in format_.stamp_columns if name in frame), None)
    if stamp is None:
        raise _unreadable(path, f"no stamp column; one of {', '.join(format_.stamp_columns)} is needed")
    stamps = frame[stamp]
    if stamp == "date" and "time" in frame and not _is_epoch(stamps):
        stamps = date_and_time(stamps, frame["time"])
    columns: dict[str, AnyArray] = {"open_time": _stamps(stamps, format_, path)}
    volume = next((name for name in frame if name.startswith("volume")), None)
    for name, source in [*zip(PRICES, PRICES, strict=True), ("volume", volume)]:
        if source is not None:
            columns[name] = _numbers(frame, source, path)
    return columns


def _numbers(frame: Any, name: str, path: Path) -> AnyArray:
    import pandas as pd

    values = pd.to_numeric(frame[name], errors="coerce")
    broken = values.isna() & frame[name].notna()
    if broken.any():
        line = broken.idxmax()
        raise _unreadable(path, f"line {line}, column {name}: {str(frame[name].loc[line])[:40]!r} is not a number")
    return values.to_numpy(dtype=np.float64)


def _stamps(column: Any, format_: Format, path: Path) -> Int64Array1D:
    import pandas as pd

    if column.isna().any():
        raise _unreadable(path, f"line {column.isna().idxmax()}: the stamp is missing")
    if _is_epoch(column):
        return epoch_to_ms(column.to_numpy(), each=format_.epoch_unit_varies)
    texts = column.astype(str).str.strip()
    for pattern in format_.stamp_formats:
        parsed = pd.to_datetime(texts, format=pattern, errors="coerce", utc=True)
        if not parsed.isna().any():
            return stamps_to_ms(parsed) - format_.utc_offset_hours * _HOUR_MS
    return stamps_to_ms(texts, what=path.name) - format_.utc_offset_hours * _HOUR_MS


def _is_epoch(column: Any) -> bool:
    """Whether stamps are numbers that count since 1970, and not dates such as 20240131."""
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(column):
        return False
    return not bool(((column >= 19_000_101) & (column <= 21_001_231)).all())


def _unreadable(path: Path, reason: object) -> MarketDataError:
    return MarketDataError(f"{path.name} cannot be read: {reason}", code="unreadable_file", file=path.name)
