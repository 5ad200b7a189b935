"""The job as a bare script: what somebody would write who needs only the result, with nothing kept but the model and the table."""

import sys
from pathlib import Path

import joblib
import pandas as pd
from scipy.stats import wasserstein_distance
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split


def main(table: Path, folder: Path) -> None:
    """Read, check, split, train, judge, compare the two parts, store."""
    frame = pd.read_csv(table)
    sensors = [str(name) for name in frame.columns if str(name).startswith("sensor_")]
    for name in sensors:
        assert frame[name].notna().all()
        assert frame[name].between(-8, 8).all()
    assert frame["faulty"].isin([0, 1]).all()
    frame.to_parquet(folder / "table.parquet")
    training, holdout = train_test_split(frame, test_size=0.2, random_state=0, stratify=frame["faulty"])
    model = HistGradientBoostingClassifier(random_state=0).fit(training[sensors], training["faulty"])
    auc = roc_auc_score(holdout["faulty"], model.predict_proba(holdout[sensors])[:, 1])
    drift = {name: wasserstein_distance(training[name], holdout[name]) / training[name].std() for name in sensors}
    joblib.dump(model, folder / "model.joblib")
    print(f"AUC {auc:.4f}, strongest drift {max(drift.values()):.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
