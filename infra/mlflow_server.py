"""The MLflow server of the standing services: its page and its API on the same database and artifacts that our runs use directly.

In one process, not through ``mlflow server``: that one starts a second process, which would be left behind with the port when the first is killed.
"""

from infra.mlflow_client import open_client, tracking_url
from infra.settings import Settings, read_variable, set_variables

DRAIN_SECONDS = 5
PROXIED = "mlflow-artifacts:/"
LOOPBACK = "localhost,localhost:*,127.0.0.1,127.0.0.1:*"  # a page elsewhere whose name resolves to 127.0.0.1 is refused


def serve_mlflow(settings: Settings, port: int) -> None:
    """Serve until SIGTERM, on loopback: MLflow asks nobody who he is.

    Raises
    ------
    StateError
        If the database cannot be reached, or holds tables of another MLflow version.
    """
    direct = settings.model_copy(update={"mlflow_url": None})
    open_client(direct)  # makes the tables where there are none yet
    url = tracking_url(direct)
    store = settings.folder("artifacts") if settings.artifacts_url is None else f"{settings.artifacts_url.rstrip('/')}/artifacts"
    set_variables(
        {
            "_MLFLOW_SERVER_FILE_STORE": url,
            "_MLFLOW_SERVER_REGISTRY_STORE": url,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": PROXIED,
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(store),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SGI_NAME": "uvicorn",
            "MLFLOW_SERVER_ALLOWED_HOSTS": read_variable("MLFLOW_SERVER_ALLOWED_HOSTS") or LOOPBACK,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # jobs are for language models; each of their runners is a process more
        }
    )
    import uvicorn
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(url, url, PROXIED)
    uvicorn.run(
        "mlflow.server.fastapi_app:app",
        host="127.0.0.1",
        port=port,
        log_level="warning",
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
