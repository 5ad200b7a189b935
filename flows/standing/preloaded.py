"""What a run needs, imported once by the process from which all runs are forked. Importing must start nothing: no thread, no connection.

OpenBLAS and Arrow start threads when they are imported; ``flows.standing.entry`` tells them not to, and each run sets its own number.
"""

import gc
import importlib
import signal

from flows.cli.app import add_commands
from infra.garbage import collect_rarely

MODULES = (
    "data_contracts.checking",
    "data_contracts.odcs",
    "data_contracts.reading",
    "flows.charts",
    "flows.cli.desk",
    "flows.cli.summary",
    "flows.lifecycle",
    "flows.reproduce",
    "flows.standing.passing",
    "infra.prediction_log",
    "infra.publishing",
    "infra.registry",
    "infra.snapshots",
    "infra.tables",
    "infra.tracking",
    "leitstand.model_file",
    "leitstand.training",
    "monitoring.report",
    "monitoring.store",
    "mlflow.store.tracking.sqlalchemy_store",
    "prefect.flow_engine",
    "prefect.task_engine",
    "skops.io",
)

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a fork hears it when it is ready for one, see flows.standing.forked
collect_rarely()
for name in MODULES:
    importlib.import_module(name)
add_commands()
gc.freeze()  # so that a run's collections touch, and thereby copy, none of the shared pages
