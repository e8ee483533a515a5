mod line;
fn main() {}
