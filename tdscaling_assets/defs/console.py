"""What a run says in the terminal: one short line per step and per word of an asset, not every engine event."""

import logging
import sys

import dagster as dg

_TOLD = {"STEP_SUCCESS", "ASSET_CHECK_EVALUATION"}


class TerseFormatter(logging.Formatter):
    """`12:00:01  raw_trajectories  120/200 conversations, ...`"""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        meta = getattr(record, "dagster_meta", {})
        step = meta.get("step_key") or meta.get("job_name") or ""
        text = meta.get("orig_message") or record.getMessage()
        return f"{self.formatTime(record, '%H:%M:%S')}  {step:<22}  {text}"


class _Told(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is None:
            return record.levelno >= logging.INFO
        is_check_step = str(meta.get("step_key", "")).endswith(("nothing_dropped", "no_collapse"))
        return event.event_type_value in _TOLD and not (is_check_step and event.event_type_value == "STEP_SUCCESS")


@dg.logger(config_schema={"quiet": dg.Field(bool, default_value=False, description="Tell warnings only.")})
def terse_console(context: dg.InitLoggerContext) -> logging.Logger:
    """Logs to standard error, tersely."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TerseFormatter())
    handler.addFilter(_Told())
    if context.logger_config["quiet"]:
        handler.setLevel(logging.WARNING)
    logger = logging.getLogger("tds.run")
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    return logger
