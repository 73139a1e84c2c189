//! Compiles `tea.cbm` (made by `train.py`) into `$OUT_DIR/model.rs`.

fn main() {
    catboost_codegen::build("tea.cbm");
}
