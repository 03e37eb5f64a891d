"""The estimators, by scikit-learn's conventions."""
