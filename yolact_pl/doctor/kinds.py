"""All kinds of findings: how bad each is, what it means, and what to do about it."""

from enum import Enum


class Severity(Enum):
    """ERROR: training stops there. WARNING: it goes on, but leaves something out or learns something wrong.

    INFO: training copes with it; only to know.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


E, W, I = Severity.ERROR, Severity.WARNING, Severity.INFO  # noqa: E741


class Kind(Enum):
    """What can be found, in the order of the report; the value is (severity, meaning, advice)."""

    JSON_UNREADABLE = E, "the annotation file cannot be read", "write or copy it again"
    LIST_MISSING = E, "a list that a COCO file must have is missing or empty", "add it"
    ENTRY_NOT_OBJECT = E, "an entry of a list is not an object", "remove it"
    ANNOTATIONS_MISSING = I, "the file only lists images", "nothing, if it is a test set"
    NO_OBJECTS = E, "nothing to train on", "choose a file with annotations"

    CATEGORY_ID_INVALID = E, "the category id is not a whole number", "number the categories"
    CATEGORY_ID_DOUBLE = E, "the category id is used twice", "give each category its own id"
    CATEGORY_NAME_INVALID = E, "the class has no name", "give it one"
    CATEGORY_NAME_DOUBLE = W, "the class name is used twice", "merge the classes, or rename one"
    CATEGORY_NAME_SIMILAR = W, "class names differ only in case or spaces", "merge the classes, or rename one"
    CATEGORY_IDS_GAPPED = I, "category ids are not 1, 2, 3, ... in order", "nothing, any ids work"
    CLASS_EMPTY = W, "the class has no object to learn from", "add some, or remove the class"
    CLASS_NOT_VALIDATED = I, "the class has no object in validation", "nothing, it just has no AP"
    CLASSES_DIFFER = E, "the two files have different categories", "give both the same list"

    IMAGE_ID_INVALID = E, "the image id is not a whole number", "number the images"
    IMAGE_ID_DOUBLE = E, "the image id is used twice", "give each image its own id"
    IMAGE_SIZE_INVALID = E, "width or height is not a whole number of pixels", "take them from the file"
    IMAGE_EMPTY = I, "the image has no object", "nothing, if it is background"
    FILE_NAME_INVALID = E, "the image has no usable file_name", "add it, or remove the image"
    FILE_NAME_DOUBLE = W, "several images have the same file_name", "merge them into one image"

    FOLDER_MISSING = E, "the images folder does not exist", "correct the path"
    FILE_MISSING = E, "the image file is not in the folder", "get the file, or remove the image"
    FILE_NAME_CASE = E, "the file's name is written with other upper and lower case", "write it the same way"
    FILE_NAME_FOLDER = E, "the file is in the images folder itself", "write its name without other folders"
    FILE_NOT_LISTED = I, "the folder has a picture that the json does not list", "nothing, it is not used"
    FILE_UNREADABLE = E, "the image file cannot be read", "replace the file, or remove the image"
    SIZE_SWAPPED = E, "width and height are swapped", "swap them in the json"
    SIZE_WRONG = E, "the picture has another size than the json says", "correct the json or the file"
    EXIF_ROTATED = (
        I,
        "an EXIF mark says that the picture is shown rotated",
        "nothing, if the masks lie on it as they should",
    )
    PICTURE_DOUBLE = W, "two files hold the same picture", "keep one of them"
    PICTURE_IN_BOTH = W, "the same picture is used for training and validation", "remove it from one of them"

    ANNOTATION_ID_INVALID = E, "the annotation id is not a whole number", "number the annotations"
    ANNOTATION_ID_DOUBLE = W, "the annotation id is used twice", "give each annotation its own id"
    ANNOTATION_DOUBLE = W, "the same object is annotated twice", "remove one of them"
    REFERENCE_TYPE = E, "an id is text in one place and a number in the other", "write numbers in both"
    IMAGE_UNKNOWN = E, "the image_id is not in the list of images", "add the image, or remove the annotation"
    CATEGORY_UNKNOWN = (
        E,
        "the category_id is not in the list of categories",
        "add it, or remove the annotation",
    )
    ISCROWD_INVALID = E, "iscrowd is not 0 or 1", "write 0 or 1"
    NOT_FINITE = E, "a number is infinite or not a number", "correct it, or remove the annotation"

    BOX_INVALID = E, "the bbox is not a list of 4 numbers", "write [x, y, width, height]"
    BOX_EMPTY = W, "the bbox has no width or height", "correct it, or remove the annotation"
    BOX_OUTSIDE = W, "the bbox lies outside of the image", "correct it, or remove the annotation"
    BOX_BEYOND = I, "the bbox sticks out of the image", "clip it"
    BOX_XYXY = W, "the bbox looks like [x1, y1, x2, y2]", "write [x, y, width, height]"
    BOX_DISAGREES = W, "the bbox does not enclose the mask", "take it from the mask"
    COORDINATES_RELATIVE = W, "the coordinates look like fractions of the image", "write pixels"

    SEGMENTATION_MISSING = W, "there is no segmentation", "add it, or remove the annotation"
    SEGMENTATION_MALFORMED = E, "the segmentation is neither polygons nor RLE", "correct it"
    POLYGON_NOT_NESTED = E, "the polygon is not inside of a list of polygons", "put [ ] around it"
    POLYGON_FEW_POINTS = W, "a polygon has fewer than 3 points", "remove the polygon"
    POLYGON_ODD = W, "a polygon has an odd number of coordinates", "correct or remove the polygon"
    POLYGON_FAR = W, "a polygon reaches far outside of the image", "correct or remove the polygon"
    POLYGON_BEYOND = I, "a polygon sticks out of the image", "nothing, it is clipped"
    POLYGON_FLAT = W, "all points of a polygon lie on a line", "remove the polygon"
    MASK_EMPTY = W, "the mask does not cover any pixel", "remove the annotation"
    RLE_SIZE = W, "the RLE has another size than its image", "encode the mask at the image's size"
    RLE_SIZE_SWAPPED = W, "the RLE's size is [width, height]", "write [height, width]"
    RLE_SUM = W, "the RLE's runs do not add up to its size", "encode the mask again"
    RLE_DAMAGED = W, "the RLE cannot be decoded", "encode the mask again"
    RLE_EMPTY = W, "the RLE has no pixel", "remove the annotation"
    AREA_INVALID = E, "the area is not a number of square pixels", "take it from the mask"
    AREA_MISSING = I, "there is no area", "nothing, it is counted from the mask"
    AREA_DISAGREES = W, "the area is not that of the mask", "take it from the mask"

    @property
    def slug(self) -> str:
        """The name in reports, as `box-empty`."""
        return self.name.lower().replace("_", "-")

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.value[0]

    @property
    def meaning(self) -> str:
        """What it is, as the main part of a sentence."""
        return self.value[1]

    @property
    def advice(self) -> str:
        """What to do."""
        return self.value[2]
