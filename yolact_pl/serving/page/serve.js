// The page of task=serve.

import { start } from "./main.js";
import { Server } from "./server.js";

start(new Server());
