//! Predict, then measure: the questions are asked before anything is run.

use serde::Serialize;

#[derive(Debug, Clone, Default, Serialize)]
pub struct Predictions {
    pub answers: Vec<Prediction>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    pub question: String,
    pub answer: String,
}
