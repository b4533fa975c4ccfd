"""The web application: addresses, their options and answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from yolact_pl.images.image_file import ImageError
from yolact_pl.inference.model import Model
from yolact_pl.inference.options import Options
from yolact_pl.serving.access import Access
from yolact_pl.serving.corrections import CorrectedPicture, CorrectionError, Corrections
from yolact_pl.serving.folder import PictureFolder
from yolact_pl.serving.page_files import PAGE
from yolact_pl.serving.service import Service
from yolact_pl.serving.uploads import MIB, Uploads

LOWEST_SCORE = 0.05
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
PNG, JSON = "image/png", "application/json"
CLIENT_GONE = 499
IMAGE_BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes of an image file: curl --data-binary @photo.jpg",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
CORRECTIONS_BODY = {
    "requestBody": {
        "required": True,
        "description": "The objects of one picture of the folder, masks in COCO's compressed run lengths.",
        "content": {
            JSON: {
                "example": {
                    "file_name": "photo.jpg",
                    "annotations": [
                        {
                            "category_id": 1,
                            "segmentation": {"size": [480, 640], "counts": "..."},
                            "corrected": True,
                        }
                    ],
                }
            }
        },
    }
}

Score = Annotated[float | None, Query(ge=0, lt=1, allow_inf_nan=False)]


def create_app(
    model: Model,
    *,
    name: str,
    folder: PictureFolder | None = None,
    token: str | None = None,
    local_only: bool = True,
    batch_size: int = 1,
    max_bytes: int = 32 * MIB,
    max_pixels: int = 50_000_000,
) -> FastAPI:
    """The page and the REST interface of a model.

    Args:
        model: with any engine.
        name: of the model, as it is shown.
        folder: whose pictures the page offers, and to which corrections are written.
        token: that requests must carry, see `Access`.
        local_only: see `Access`.
        batch_size: images that go through the network together, if so many wait.
        max_bytes: of an upload.
        max_pixels: of an image.
    """
    service = Service(model, name=name, batch_size=batch_size)
    uploads = Uploads(max_bytes=max_bytes, max_pixels=max_pixels, value_range=model.predictor.value_range)
    app = FastAPI(title="yolact-pl", docs_url=None, redoc_url=None, lifespan=_serving(service))
    app.add_middleware(Access, local_only=local_only, token=token)
    _add_errors(app)
    _add_model(app, service, uploads)
    _add_folder(app, service, uploads, folder)
    _add_page(app)
    return app


def _serving(service: Service) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        running = asyncio.create_task(service.queue.run())
        yield
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    return lifespan


def _add_model(app: FastAPI, service: Service, uploads: Uploads) -> None:
    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the server works, and how many requests wait."""
        return {"status": "ok", "waiting": len(service.queue)}

    @app.get("/model")
    async def model() -> dict[str, Any]:
        """Classes, input size and default options of the model."""
        return service.describe()

    @app.post("/predict", openapi_extra=IMAGE_BODY)
    async def predict(
        request: Request,
        min_score: Score = None,
        classes: Annotated[list[str] | None, Query()] = None,
        top_k: Annotated[int | None, Query(ge=1, le=10_000)] = None,
        iou_threshold: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
        nms: Literal["fast", "cross_class", "exact"] | None = None,
        format: Literal["json", "png"] | None = None,
    ) -> Response:
        """What is found in an image: COCO json, or the drawn picture (`format=png` or `Accept: image/png`).

        An option that is left out is the model's, see `GET /model`.
        """
        given = {"min_score": min_score, "classes": classes, "top_k": top_k}
        given |= {"iou_threshold": iou_threshold, "nms": nms}
        options: Any = {key: value for key, value in given.items() if value is not None}
        picture = format == "png" or (format is None and request.headers.get("accept", "").startswith(PNG))
        service.model.predictor.with_options(**Options(**options))  # wrong ones are told before the upload
        image = await uploads.image(request)
        content = await service.predict(image, options, picture=picture)
        return Response(content, media_type=PNG if picture else JSON)

    @app.post("/analyze", openapi_extra=IMAGE_BODY)
    async def analyze(
        request: Request,
        min_score: Score = LOWEST_SCORE,
        stream: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Response:
        """Prototypes of an image, and up to 300 candidates with their coefficients; the page makes the masks.

        `stream` names a camera: while a frame of it waits, a newer one takes its place (409).
        """
        image = await uploads.image(request)
        return Response(await service.analyze(image, min_score or 0.0, stream), media_type=JSON)


def _add_folder(app: FastAPI, service: Service, uploads: Uploads, folder: PictureFolder | None) -> None:
    corrections = folder and Corrections(
        folder, class_names=service.model.class_names, category_ids=service.model.category_ids
    )

    @app.get("/folder")
    async def pictures() -> dict[str, Any]:
        """The pictures of the folder that the server was started with, and which of them were saved."""
        if folder is None or corrections is None:
            return {"folder": None, "pictures": []}
        names = await to_thread.run_sync(folder.names)
        saved = await to_thread.run_sync(corrections.saved)
        listed = [{"name": name, "saved": name in saved} for name in names]
        return {"folder": folder.path.name, "pictures": listed}

    @app.get("/folder/{name:path}")
    async def picture(name: str) -> Response:
        """One picture of the folder; formats that browsers don't show become PNG."""
        path = None if folder is None else await to_thread.run_sync(folder.picture, name)
        if folder is None or path is None:
            raise HTTPException(404, "the folder has no such picture")
        try:
            content, kind = await to_thread.run_sync(folder.shown, path)
        except OSError:
            raise HTTPException(404, "the picture cannot be read") from None
        return Response(content, media_type=kind)

    @app.post("/save", openapi_extra=CORRECTIONS_BODY)
    async def save(request: Request) -> dict[str, Any]:
        """Write the objects of a picture to the folder's `corrections.json`, in place of its former ones."""
        if corrections is None:
            raise HTTPException(404, "the server was started without folder=: there is no place to save to")
        data = await uploads.body(request)
        try:
            sent = CorrectedPicture.model_validate_json(data)
        except ValidationError as error:
            raise HTTPException(422, _first(error.errors())) from None
        return await to_thread.run_sync(corrections.save, sent)


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(PAGE / "index.html", headers=HEADERS)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html", headers=HEADERS)

    app.mount("/page", StaticFiles(directory=PAGE))


def _add_errors(app: FastAPI) -> None:
    """Whatever a client does wrong is told in one sentence."""

    @app.exception_handler(RequestValidationError)
    async def option(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": _first(error.errors())}, 422)

    @app.exception_handler(ValueError)
    async def value(request: Request, error: ValueError) -> JSONResponse:
        status = 409 if isinstance(error, CorrectionError) else 415 if isinstance(error, ImageError) else 422
        return JSONResponse({"detail": str(error)}, status)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=CLIENT_GONE)


def _first(errors: Any) -> str:
    where = ".".join(str(part) for part in errors[0]["loc"] if part not in ("query", "body", "path"))
    return f"{where}: {errors[0]['msg']}" if where else str(errors[0]["msg"])
