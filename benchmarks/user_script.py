"""What a user writes without us: hyperopt + backtesting.py + a process pool; one search a strategy and fold, no statistics.

python benchmarks/user_script.py EVALUATIONS FOLDS   prints JSON: seconds and evaluations done
"""

import json
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from hyperopt import STATUS_FAIL, STATUS_OK, fmin, hp, tpe

import stratopt

warnings.simplefilter("ignore")


class Cross(Strategy):
    fast, slow = 10, 30

    def init(self):
        self.one = self.I(lambda v: pd.Series(v).rolling(self.fast).mean(), self.data.Close)
        self.two = self.I(lambda v: pd.Series(v).rolling(self.slow).mean(), self.data.Close)

    def next(self):
        if crossover(self.one, self.two):
            self.buy()
        elif crossover(self.two, self.one):
            self.position.close()


def search(job):
    frame, evaluations, seed = job

    def objective(point):
        fast, slow = int(point["fast"]), int(point["fast"] * point["ratio"])
        sharpe = Backtest(frame, Cross, cash=1e6, commission=0.001).run(fast=fast, slow=slow)["Sharpe Ratio"]
        return {"loss": -sharpe, "status": STATUS_OK} if np.isfinite(sharpe) else {"status": STATUS_FAIL}

    space = {"fast": hp.quniform("fast", 2, 50, 1), "ratio": hp.uniform("ratio", 1.5, 4)}
    generator = np.random.default_rng(seed)
    return fmin(objective, space, algo=tpe.suggest, max_evals=evaluations, rstate=generator, show_progressbar=False)


if __name__ == "__main__":
    evaluations, folds = int(sys.argv[1]), int(sys.argv[2])
    frame = stratopt.load_bars("MSFT", "1d")[-2520:].to_frame()
    frame.columns = frame.columns.str.capitalize()
    frame.index = frame.index.tz_localize(None)
    began = time.perf_counter()
    ends = [len(frame) * (fold + 2) // (folds + 1) for fold in range(folds)]
    jobs = [(frame.iloc[:end], evaluations, seed) for seed, end in enumerate(ends)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(search, jobs))
    print(json.dumps({"seconds": time.perf_counter() - began, "evaluations": evaluations * folds}))
