"""One mistake of each kind, to be planted in a sound set."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tests.doctor.sound_set import (
    HEIGHT,
    WIDTH,
    DataSet,
    code_entry,
    mask_api,
    polygon_entry,
    ring,
    run_lengths,
    write_picture,
)
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.report.places import Place


@dataclass(frozen=True)
class Damage:
    """A mistake, and what must be found of it."""

    kind: Kind
    plant: Callable[[DataSet], None]
    place: Place
    """Empty for a mistake of the whole file; then the detail names what it is about."""
    detail: str = ""
    also: frozenset[Kind] = frozenset()
    """Notes that follow from the mistake."""
    times: int = 1
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind.slug


DAMAGES: list[Damage] = []


def damage(
    kind: Kind,
    image: int | None = None,
    annotation: int | None = None,
    *,
    category: str = "",
    file_name: str | None = None,
    image_id: str | None = None,
    annotation_id: str | None = None,
    detail: str = "",
    also: frozenset[Kind] = frozenset(),
    times: int = 1,
    name: str = "",
) -> Callable[[Callable[[DataSet], None]], Callable[[DataSet], None]]:
    """Add a mistake to the list; image and annotation are numbers, of which the place follows."""
    image = annotation // 10 if image is None and annotation is not None else image
    place = Place(
        image_id=image_id if image_id is not None else "" if image is None else str(image),
        file_name=file_name if file_name is not None else "" if image is None else f"{image}.png",
        annotation_id=annotation_id if annotation_id is not None else str(annotation or ""),
        category_id=category,
    )

    def add(plant: Callable[[DataSet], None]) -> Callable[[DataSet], None]:
        DAMAGES.append(Damage(kind, plant, place, detail, also, times, name))
        return plant

    return add


# The file as a whole.


@damage(Kind.JSON_UNREADABLE, detail="train.json is not valid JSON")
def cut_text(data: DataSet) -> None:
    data.texts["train"] = '{"images": [{"id": 1'


@damage(Kind.LIST_MISSING, detail='"categories" is missing')
def no_categories(data: DataSet) -> None:
    del data.train["categories"]


@damage(Kind.LIST_MISSING, detail='"images" is empty', name="list-empty")
def no_images(data: DataSet) -> None:
    data.train["images"] = []


@damage(Kind.ENTRY_NOT_OBJECT, detail='entry 13 of "annotations" is a number')
def number_among_annotations(data: DataSet) -> None:
    data.train["annotations"].append(7)


@damage(Kind.ANNOTATIONS_MISSING, detail='there is no "annotations"')
def only_images(data: DataSet) -> None:
    data.with_val = True
    del data.val["annotations"]


@damage(Kind.NO_OBJECTS, detail="train.json has no annotation", also=frozenset({Kind.IMAGE_EMPTY}))
def no_annotations(data: DataSet) -> None:
    data.train["annotations"] = []


# Categories.


@damage(Kind.CATEGORY_ID_INVALID, category="2.5", detail="the id is 2.5")
def category_id_of_half(data: DataSet) -> None:
    renumber_dog(data, 2.5)


@damage(Kind.CATEGORY_ID_DOUBLE, category="2", detail="'dog' and 'dog' have the id 2")
def category_id_twice(data: DataSet) -> None:
    data.train["categories"].append({"id": 2, "name": "dog"})


@damage(Kind.CATEGORY_NAME_INVALID, category="2", detail="the name is ''")
def class_without_name(data: DataSet) -> None:
    data.train["categories"][1]["name"] = ""


@damage(Kind.CATEGORY_NAME_INVALID, category="2", detail="the name is 7", name="category-name-number")
def class_named_by_a_number(data: DataSet) -> None:
    data.train["categories"][1]["name"] = 7


@damage(Kind.CATEGORY_NAME_DOUBLE, category="3", detail="'dog', and 'dog' is category 2")
def class_name_twice(data: DataSet) -> None:
    add_class(data, "dog")


@damage(Kind.CATEGORY_NAME_SIMILAR, category="3", detail="'Dog ', and 'dog' is category 2")
def class_name_nearly_twice(data: DataSet) -> None:
    add_class(data, "Dog ")


@damage(Kind.CATEGORY_IDS_GAPPED, detail="2 ids from 0 to 1")
def ids_from_zero(data: DataSet) -> None:
    renumber_dog(data, 0)


@damage(Kind.CLASS_EMPTY, category="3", detail="'bird'")
def class_without_objects(data: DataSet) -> None:
    data.train["categories"].append({"id": 3, "name": "bird"})


@damage(Kind.CROWDS, detail="3 of 13 annotations have iscrowd 1")
def crowds(data: DataSet) -> None:
    for number in (31, 41):
        data.annotation(number)["iscrowd"] = 1


@damage(Kind.CLASS_NOT_VALIDATED, category="3", detail="'bird'")
def class_without_objects_in_validation(data: DataSet) -> None:
    data.with_val = True
    add_class(data, "bird")
    data.val["categories"].append({"id": 3, "name": "bird"})


@damage(Kind.CLASSES_DIFFER, category="2", detail="is not in the other file", times=2)
def other_name_in_validation(data: DataSet) -> None:
    data.with_val = True
    data.val["categories"][1]["name"] = "hound"


# Images and their files.


@damage(Kind.IMAGE_ID_INVALID, 3, image_id="'a'", detail="the id is 'a'")
def image_id_of_letters(data: DataSet) -> None:
    for annotation in data.train["annotations"]:
        if annotation["image_id"] == 3:
            annotation["image_id"] = "a"
    data.image(3)["id"] = "a"


@damage(Kind.IMAGE_ID_DOUBLE, 2, detail="'2.png' has the id 2 too")
def image_id_twice(data: DataSet) -> None:
    data.train["images"].append(dict(data.image(2)))


@damage(Kind.IMAGE_SIZE_INVALID, 6, detail="the width is 0, the height 30")
def image_without_width(data: DataSet) -> None:
    data.image(6)["width"] = 0


@damage(Kind.IMAGE_EMPTY, 20)
def image_without_objects(data: DataSet) -> None:
    write_picture(data.file("20.png"), (HEIGHT, WIDTH), np.random.default_rng(1))
    data.train["images"].append({"id": 20, "file_name": "20.png", "height": HEIGHT, "width": WIDTH})


@damage(Kind.FILE_NAME_INVALID, 4, file_name="", detail="the file_name is 4")
def file_name_of_a_number(data: DataSet) -> None:
    data.image(4)["file_name"] = 4
    data.file("4.png").unlink()


@damage(Kind.FILE_NAME_DOUBLE, 20, file_name="5.png", detail="image 5 has the same file_name")
def file_name_twice(data: DataSet) -> None:
    data.train["images"].append(dict(data.image(5)) | {"id": 20})
    data.train["annotations"].append(polygon_entry(201, 20, 1, (1, 1, 9, 9)))


@damage(Kind.FOLDER_MISSING, detail="there is no folder")
def no_folder(data: DataSet) -> None:
    data.folders["train"] = data.root / "nowhere"


@damage(Kind.FILE_MISSING, 4, detail="'4.png' is not in")
def no_file(data: DataSet) -> None:
    data.file("4.png").unlink()


@damage(Kind.FILE_NAME_CASE, 4, file_name="4.PNG", detail="'4.PNG' is '4.png' in")
def name_in_capitals(data: DataSet) -> None:
    data.image(4)["file_name"] = "4.PNG"


@damage(Kind.FILE_NAME_FOLDER, 4, file_name="C:\\photos\\4.png", detail="is '4.png' in")
def path_of_another_machine(data: DataSet) -> None:
    data.image(4)["file_name"] = "C:\\photos\\4.png"


@damage(Kind.FILE_NOT_LISTED, detail="'extra.JPG' in")
def file_that_is_not_listed(data: DataSet) -> None:
    write_picture(data.file("extra.png"), (9, 9), np.random.default_rng(1))
    data.file("extra.png").rename(data.file("extra.JPG"))


@damage(Kind.FILE_UNREADABLE, 4, detail="4.png is truncated")
def cut_file(data: DataSet) -> None:
    data.file("4.png").write_bytes(data.file("4.png").read_bytes()[:900])


@damage(Kind.SIZE_SWAPPED, 6, detail="the picture is 20 x 30, the json says 30 x 20")
def sides_swapped(data: DataSet) -> None:
    data.image(6).update(width=30, height=20)
    data.train["annotations"] = [one for one in data.train["annotations"] if one["id"] != 62]


@damage(Kind.SIZE_WRONG, 6, detail="the picture is 20 x 30, the json says 40 x 60")
def twice_the_size(data: DataSet) -> None:
    data.image(6).update(width=40, height=60)


@damage(Kind.EXIF_ROTATED, 6, file_name="6.jpg", detail="orientation 6, upright 20 x 30")
def turned_photo(data: DataSet) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(data.file("6.jpg"), exif=exif)
    data.file("6.png").unlink()
    data.image(6)["file_name"] = "6.jpg"


@damage(
    Kind.EXIF_UPRIGHT,
    6,
    file_name="6.jpg",
    detail="orientation 6, upright 20 x 30, the json says 30 x 20",
    also=frozenset({Kind.BOX_BEYOND, Kind.POLYGON_BEYOND}),
)
def turned_photo_of_stored_size(data: DataSet) -> None:
    turned_photo(data)
    data.image(6).update(width=30, height=20)


@damage(Kind.PICTURE_DARK, 4, detail="99 % of the values are below 4 of 255")
def dark_picture(data: DataSet) -> None:
    pixels = np.random.default_rng(1).integers(0, 4, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(data.file("4.png"))


@damage(Kind.PICTURE_DOUBLE, 4, detail="'2.png' shows the same")
def same_picture(data: DataSet) -> None:
    data.file("4.png").write_bytes(data.file("2.png").read_bytes())


@damage(Kind.PICTURE_IN_BOTH, 8, detail="it is image 2, '2.png', in training")
def picture_of_training(data: DataSet) -> None:
    data.with_val = True
    data.file("8.png", "val").write_bytes(data.file("2.png").read_bytes())


# Annotations.


@damage(Kind.ANNOTATION_ID_INVALID, annotation=31, annotation_id="'x'", detail="the id is 'x'")
def annotation_id_of_letters(data: DataSet) -> None:
    data.annotation(31)["id"] = "x"


@damage(Kind.ANNOTATION_ID_DOUBLE, 3, annotation_id="21", detail="an annotation of image 2 has the id 21 too")
def annotation_id_twice(data: DataSet) -> None:
    data.annotation(31)["id"] = 21


@damage(Kind.ANNOTATION_DOUBLE, 3, 310, detail="it is the same as annotation 31")
def object_twice(data: DataSet) -> None:
    data.train["annotations"].append(data.annotation(31) | {"id": 310})


@damage(Kind.REFERENCE_TYPE, annotation=31, detail="the image_id is '3', the id 3")
def image_id_as_text(data: DataSet) -> None:
    data.annotation(31)["image_id"] = "3"


@damage(Kind.IMAGE_UNKNOWN, 99, 31, file_name="", detail="the image_id is 99")
def no_such_image(data: DataSet) -> None:
    data.annotation(31)["image_id"] = 99


@damage(Kind.CATEGORY_UNKNOWN, annotation=31, detail="the category_id is 9")
def no_such_category(data: DataSet) -> None:
    data.annotation(31)["category_id"] = 9


@damage(Kind.ISCROWD_INVALID, annotation=31, detail="iscrowd is 'no'")
def crowd_as_text(data: DataSet) -> None:
    data.annotation(31)["iscrowd"] = "no"


@damage(Kind.NOT_FINITE, annotation=31, detail="the bbox is [2, nan, 13, 15]", name="box-not-finite")
def box_not_a_number(data: DataSet) -> None:
    data.annotation(31)["bbox"][1] = math.nan


@damage(Kind.NOT_FINITE, annotation=31, detail="the area is inf", name="area-not-finite")
def endless_area(data: DataSet) -> None:
    data.annotation(31)["area"] = math.inf


@damage(Kind.NOT_FINITE, annotation=31, detail="polygon 2 of 2: [nan, ", name="polygon-not-finite")
def polygon_not_a_number(data: DataSet) -> None:
    add_polygon(data, [math.nan, *ring((3, 4, 9, 9))[1:]])


# Boxes.


@damage(Kind.BOX_INVALID, annotation=31, detail="the bbox is [1, 2, 3]")
def box_of_three(data: DataSet) -> None:
    data.annotation(31)["bbox"] = [1, 2, 3]


@damage(Kind.BOX_EMPTY, annotation=31, detail="the bbox is [2.0, 3.0, 13.0, 0.0]")
def flat_box(data: DataSet) -> None:
    data.annotation(31)["bbox"] = [2.0, 3.0, 13.0, 0.0]


@damage(Kind.BOX_OUTSIDE, annotation=32, detail="the bbox is [70, 10, 30, 20], the image 60 x 40")
def box_beside_the_image(data: DataSet) -> None:
    data.annotation(32)["bbox"] = [70, 10, 30, 20]


@damage(Kind.BOX_BEYOND, annotation=32, detail="the bbox is [20, 10, 45, 20], the image 60 x 40")
def box_over_the_edge(data: DataSet) -> None:
    data.annotation(32).update(code_entry(32, 3, 2, (20, 10, 60, 30)))
    data.annotation(32)["bbox"] = [20, 10, 45, 20]


@damage(
    Kind.BOX_XYXY,
    annotation=32,
    detail="the bbox is [20, 10, 50, 30], the mask reaches x 20 to 50, y 10 to 30",
)
def box_of_corners(data: DataSet) -> None:
    data.annotation(32)["bbox"] = [20, 10, 50, 30]


@damage(
    Kind.BOX_DISAGREES,
    annotation=31,
    detail="the bbox is [2, 13, 13, 15], the mask reaches x 2 to 15, y 3 to 18",
)
def box_below_its_mask(data: DataSet) -> None:
    data.annotation(31)["bbox"] = [2, 13, 13, 15]


@damage(
    Kind.COORDINATES_RELATIVE, annotation=31, detail="the bbox is [0.05, 0.1, 0.2, 0.4], the image 60 x 40"
)
def fractions(data: DataSet) -> None:
    data.annotation(31).update(
        bbox=[0.05, 0.1, 0.2, 0.4], segmentation=[ring((0.05, 0.1, 0.25, 0.5))], area=0.08
    )


# Masks.


@damage(Kind.SEGMENTATION_MISSING, annotation=31)
def no_segmentation(data: DataSet) -> None:
    data.annotation(31)["segmentation"] = []


@damage(Kind.SEGMENTATION_MALFORMED, annotation=31, detail="the segmentation is 'mask.png'")
def segmentation_of_text(data: DataSet) -> None:
    data.annotation(31)["segmentation"] = "mask.png"


@damage(Kind.POLYGON_NOT_NESTED, annotation=31, detail="the segmentation is a list")
def bare_polygon(data: DataSet) -> None:
    data.annotation(31)["segmentation"] = data.annotation(31)["segmentation"][0]


@damage(Kind.POLYGON_FEW_POINTS, annotation=31, detail="polygon 2 of 2: [3.0, 4.0, 9.0, 9.0]")
def line(data: DataSet) -> None:
    add_polygon(data, [3, 4, 9, 9])


@damage(Kind.POLYGON_FEW_POINTS, annotation=31, detail="polygon 1 of 1", name="polygon-few-points-alone")
def only_a_line(data: DataSet) -> None:
    data.annotation(31)["segmentation"] = [[3, 4, 9, 9]]


@damage(Kind.POLYGON_RECTANGLE, annotation=31, detail="polygon 1 of 1: [2.0, 3.0, 13.0, 15.0]")
def rectangle_of_four_numbers(data: DataSet) -> None:
    data.annotation(31)["segmentation"] = [[2, 3, 13, 15]]


@damage(Kind.POLYGON_ODD, annotation=31, detail="polygon 2 of 2: [3.0, 4.0, 9.0, 4.0, 9.0, 9.0]")
def odd_polygon(data: DataSet) -> None:
    add_polygon(data, [3, 4, 9, 4, 9, 9, 3])


@damage(Kind.POLYGON_FAR, annotation=31, detail="polygon 2 of 2: [300.0, ")
def far_polygon(data: DataSet) -> None:
    add_polygon(data, ring((300, 4, 310, 9)))


@damage(Kind.POLYGON_BEYOND, annotation=31, detail="it reaches x -5 to 15, y 3 to 18, the image is 60 x 40")
def polygon_over_the_edge(data: DataSet) -> None:
    data.annotation(31).update(polygon_entry(31, 3, 1, (-5, 3, 15, 18)))
    data.annotation(31).update(bbox=[0, 3, 15, 15], area=225)


@damage(Kind.POLYGON_FLAT, annotation=31, detail="polygon 2 of 2: [3.0, 4.0, 5.0, 6.0, 9.0, 10.0]")
def flat_polygon(data: DataSet) -> None:
    add_polygon(data, [3, 4, 5, 6, 9, 10])


@damage(Kind.MASK_EMPTY, annotation=31, detail="it reaches x 4.6 to 5.4, y 7.6 to 8.4")
def mask_between_pixels(data: DataSet) -> None:
    data.annotation(31).update(
        bbox=[4.6, 7.6, 0.8, 0.8], segmentation=[ring((4.6, 7.6, 5.4, 8.4))], area=0.64
    )


@damage(Kind.RLE_SIZE, annotation=32, detail="the size is [41, 60], the image's [40, 60]")
def code_of_another_size(data: DataSet) -> None:
    data.annotation(32)["segmentation"]["size"] = [41, 60]


@damage(Kind.RLE_SIZE_SWAPPED, annotation=32, detail="the size is [60, 40], the image's [40, 60]")
def code_of_swapped_size(data: DataSet) -> None:
    data.annotation(32)["segmentation"]["size"] = [60, 40]


@damage(Kind.RLE_SUM, annotation=32, detail="2401 instead of 40 x 60 = 2400 pixels")
def code_too_long(data: DataSet) -> None:
    counts = run_lengths(mask_api.decode(data.annotation(32)["segmentation"]))
    data.annotation(32)["segmentation"]["counts"] = [*counts[:-1], counts[-1] + 1]


@damage(Kind.RLE_DAMAGED, annotation=32, detail="the counts are 'no code!'")
def code_of_words(data: DataSet) -> None:
    data.annotation(32)["segmentation"]["counts"] = "no code!"


@damage(Kind.RLE_EMPTY, annotation=32, detail="all runs of the object are 0")
def code_without_pixels(data: DataSet) -> None:
    data.annotation(32)["segmentation"]["counts"] = [HEIGHT * WIDTH]


# Areas.


@damage(Kind.AREA_INVALID, annotation=31, detail="the area is -195")
def negative_area(data: DataSet) -> None:
    data.annotation(31)["area"] = -195


@damage(Kind.AREA_MISSING, annotation=31)
def no_area(data: DataSet) -> None:
    del data.annotation(31)["area"]


@damage(Kind.AREA_DISAGREES, annotation=32, detail="the area is 1800, the mask has 600 pixels")
def three_times_the_area(data: DataSet) -> None:
    data.annotation(32)["area"] *= 3


def add_polygon(data: DataSet, numbers: list[float]) -> None:
    data.annotation(31)["segmentation"].append(numbers)


def add_class(data: DataSet, name: str) -> None:
    """With one object in training."""
    data.train["categories"].append({"id": 3, "name": name})
    data.annotation(31)["category_id"] = 3


def renumber_dog(data: DataSet, number: float) -> None:
    data.train["categories"][1]["id"] = number
    for annotation in data.train["annotations"]:
        if annotation["category_id"] == 2:
            annotation["category_id"] = number
