// The page of format=web: the model in the browser.

import { start } from "./main.js";
import { OnnxModel } from "./onnx_model.js";

start(new OnnxModel());
