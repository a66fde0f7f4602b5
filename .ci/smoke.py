"""What a user does first, with the installed wheel, in a folder that is not the repository."""

import subprocess
import sys
from pathlib import Path

import pandas

import graphattn
from graphattn.data import load


def graphattn_command(*arguments: str) -> str:
    print("$ graphattn", *arguments, flush=True)
    finished = subprocess.run(["graphattn", *arguments], capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.exit(f"exit code {finished.returncode}\n{finished.stdout}\n{finished.stderr}")
    return finished.stdout


assert Path(graphattn.__file__).is_relative_to(sys.prefix), f"{graphattn.__file__} is not the installed package"
assert graphattn.__version__ in graphattn_command("--version")
print(graphattn_command("info"))
table = load("bbb")
table.frame.head(150).to_csv("train.csv", index=False)
table.frame.tail(5).to_csv("new.csv", index=False)
graphattn_command("train", "train.csv", "--out", "model", "--epochs", "2")
graphattn_command("predict", "model", "new.csv", "--out", "predictions.csv")
predictions = pandas.read_csv("predictions.csv")
print(predictions.to_string())
assert predictions["smiles"].tolist() == table.frame["smiles"].tail(5).tolist()
assert predictions["predicted_permeable"].isin([0, 1]).all()
assert predictions[["probability_0", "probability_1"]].sum(axis=1).round(5).eq(1).all()
assert predictions["rejected"].isna().all()
print("The wheel works: graphattn", graphattn.__version__)
