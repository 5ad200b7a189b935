"""The services that stand: Prefect server, MLflow server, warm worker and prediction service, under one supervisor."""
