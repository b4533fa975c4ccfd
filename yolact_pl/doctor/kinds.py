"""Kinds of findings: severity, meaning, advice, and what fix=true does."""

from enum import Enum


class Severity(Enum):
    """Severity of a finding: its name and meaning."""

    ERROR = "error", "training stops there"
    WARNING = "warning", "training continues, but leaves something out or learns something wrong"
    NOTE = "note", "training copes with it; good to know"

    def __init__(self, word: str, meaning: str) -> None:
        self.word = word
        self.meaning = meaning


ERROR, WARNING, NOTE = Severity
_FREE_ID = "gives it the next free id"
_FROM_MASK = "takes it from the mask"
_NO_ANNOTATION = "removes the annotation"
_NO_IMAGE = "removes the image and its annotations"
_NO_POLYGON = "removes the polygon"


class Kind(Enum):
    """What can be found, in the order of the report."""

    JSON_UNREADABLE = ERROR, "the annotation file cannot be read", "write or copy it again"
    LIST_MISSING = ERROR, "a list that a COCO file must have is missing or empty", "add it"
    ENTRY_NOT_OBJECT = ERROR, "an entry of a list is not an object", "remove it", "removes it"
    ANNOTATIONS_MISSING = NOTE, "the file only lists images", "nothing, if it is a test set"
    NO_OBJECTS = ERROR, "there is nothing to train on", "choose a file with annotations"

    CATEGORY_ID_INVALID = ERROR, "the category id is not a whole number", "number the categories", _FREE_ID
    CATEGORY_ID_DOUBLE = (
        ERROR,
        "the category id is used twice",
        "give each category its own id",
        "removes it if it has the name of the first one",
    )
    CATEGORY_NAME_INVALID = (
        ERROR,
        "the class has no usable name",
        "give it one",
        "writes numbers as text, else names it after its id",
    )
    CATEGORY_NAME_DOUBLE = WARNING, "the class name is used twice", "merge the classes, or rename one"
    CATEGORY_NAME_SIMILAR = (
        WARNING,
        "class names differ only in case or spaces",
        "merge the classes, or rename one",
    )
    CATEGORY_IDS_GAPPED = NOTE, "category ids are not 1, 2, 3, ... in order", "nothing, any ids work"
    CLASS_EMPTY = WARNING, "the class has no object to learn from", "add some, or remove the class"
    CROWDS = (
        WARNING,
        "many annotations are crowd regions, which are neither learned nor counted",
        "write iscrowd 0 for what is a single object",
    )
    CLASS_NOT_VALIDATED = NOTE, "the class has no object in validation", "nothing, it just has no AP"
    CLASSES_DIFFER = ERROR, "the two files have different categories", "give both the same list"

    IMAGE_ID_INVALID = ERROR, "the image id is not a whole number", "number the images", _FREE_ID
    IMAGE_ID_DOUBLE = (
        ERROR,
        "the image id is used twice",
        "give each image its own id",
        "removes it if it has the file of the first one",
    )
    IMAGE_SIZE_INVALID = (
        ERROR,
        "width or height is not a whole number of pixels",
        "take them from the file",
        "takes them from the file, if the masks lie within",
    )
    IMAGE_EMPTY = NOTE, "the image has no object", "nothing, if it is background"
    FILE_NAME_INVALID = ERROR, "the image has no usable file_name", "add it, or remove the image", _NO_IMAGE
    FILE_NAME_DOUBLE = (
        WARNING,
        "several images have the same file_name",
        "merge them into one image",
        "gives the objects to the first one",
    )

    FOLDER_MISSING = ERROR, "the images folder does not exist", "correct the path"
    FILE_MISSING = (
        ERROR,
        "the image file is not in the folder",
        "get the file, or remove the image",
        _NO_IMAGE,
    )
    FILE_NAME_CASE = (
        ERROR,
        "the file's name is written with other upper and lower case",
        "write it the same way",
        "writes it the same way",
    )
    FILE_NAME_FOLDER = (
        ERROR,
        "the file is in the images folder itself",
        "write its name without other folders",
        "writes its name without other folders",
    )
    FILE_NOT_LISTED = NOTE, "the folder has a picture that the json does not list", "nothing, it is not used"
    FILE_UNREADABLE = (
        ERROR,
        "the image file cannot be read",
        "replace the file, or remove the image",
        _NO_IMAGE,
    )
    SIZE_SWAPPED = (
        ERROR,
        "width and height are swapped",
        "swap them in the json",
        "swaps them, if the masks lie within",
    )
    SIZE_WRONG = ERROR, "the picture has another size than the json says", "correct the json or the file"
    EXIF_ROTATED = (
        NOTE,
        "an EXIF mark says that the picture is shown rotated",
        "nothing, if the masks lie on it as they should",
    )
    EXIF_UPRIGHT = (
        WARNING,
        "the objects lie on the upright picture, but the json has the stored size",
        "swap width and height in the json",
        "swaps them",
    )
    PICTURE_DARK = (
        WARNING,
        "the picture is nearly black",
        "check how its values were scaled, or remove the image",
    )
    PICTURE_DOUBLE = WARNING, "two files hold the same picture", "keep one of them"
    PICTURE_IN_BOTH = (
        WARNING,
        "the same picture is used for training and validation",
        "remove it from one of them",
    )

    ANNOTATION_ID_INVALID = (
        ERROR,
        "the annotation id is not a whole number",
        "number the annotations",
        _FREE_ID,
    )
    ANNOTATION_ID_DOUBLE = (
        WARNING,
        "the annotation id is used twice",
        "give each annotation its own id",
        _FREE_ID,
    )
    ANNOTATION_DOUBLE = WARNING, "the same object is annotated twice", "remove one of them", _NO_ANNOTATION
    REFERENCE_TYPE = (
        ERROR,
        "an id is text in one place and a number in the other",
        "write numbers in both",
        "writes it as the list of images or categories does",
    )
    IMAGE_UNKNOWN = (
        ERROR,
        "the image_id is not in the list of images",
        "add the image, or remove the annotation",
        _NO_ANNOTATION,
    )
    CATEGORY_UNKNOWN = (
        ERROR,
        "the category_id is not in the list of categories",
        "add it, or remove the annotation",
        _NO_ANNOTATION,
    )
    ISCROWD_INVALID = (
        ERROR,
        "iscrowd is not 0 or 1",
        "write 0 or 1",
        "writes 1 for words such as true, and else 0",
    )
    NOT_FINITE = (
        ERROR,
        "a number is infinite or not a number",
        "correct it, or remove the annotation",
        "takes box and area from the mask, and removes polygons",
    )

    BOX_INVALID = ERROR, "the bbox is not a list of 4 numbers", "write [x, y, width, height]", _FROM_MASK
    BOX_EMPTY = WARNING, "the bbox has no width or height", "correct it, or remove the annotation", _FROM_MASK
    BOX_OUTSIDE = WARNING, "the bbox lies outside of the image", "correct it", _FROM_MASK
    BOX_BEYOND = NOTE, "the bbox sticks out of the image", "nothing, it is clipped", _FROM_MASK
    BOX_XYXY = WARNING, "the bbox looks like [x1, y1, x2, y2]", "write [x, y, width, height]", _FROM_MASK
    BOX_DISAGREES = WARNING, "the bbox does not enclose the mask", "take it from the mask", _FROM_MASK
    COORDINATES_RELATIVE = (
        WARNING,
        "the coordinates look like fractions of the image",
        "write pixels",
        "multiplies them by width and height",
    )

    SEGMENTATION_MISSING = (
        WARNING,
        "there is no segmentation",
        "add it, or remove the annotation",
        _NO_ANNOTATION,
    )
    SEGMENTATION_MALFORMED = (
        ERROR,
        "the segmentation is neither polygons nor RLE",
        "correct it",
        _NO_ANNOTATION,
    )
    POLYGON_NOT_NESTED = (
        ERROR,
        "the polygon is not inside of a list of polygons",
        "put [ ] around it",
        "puts [ ] around it",
    )
    POLYGON_FEW_POINTS = WARNING, "a polygon has fewer than 3 points", "remove the polygon", _NO_POLYGON
    POLYGON_RECTANGLE = (
        WARNING,
        "a polygon is a rectangle of 4 numbers",
        "write its four corners",
        "writes its four corners",
    )
    POLYGON_ODD = (
        WARNING,
        "a polygon has an odd number of coordinates",
        "correct or remove the polygon",
        _NO_POLYGON,
    )
    POLYGON_FAR = (
        WARNING,
        "a polygon reaches far outside of the image",
        "correct or remove the polygon",
        _NO_POLYGON,
    )
    POLYGON_BEYOND = NOTE, "a polygon sticks out of the image", "nothing, it is clipped"
    POLYGON_FLAT = WARNING, "all points of a polygon lie on a line", "remove the polygon", _NO_POLYGON
    MASK_EMPTY = WARNING, "the mask does not cover any pixel", "remove the annotation", _NO_ANNOTATION
    RLE_SIZE = (
        WARNING,
        "the RLE has another size than its image",
        "encode the mask at the image's size",
        _NO_ANNOTATION,
    )
    RLE_SIZE_SWAPPED = (
        WARNING,
        "the RLE's size is [width, height]",
        "write [height, width]",
        "turns it as the bbox tells, or else removes the annotation",
    )
    RLE_SUM = WARNING, "the RLE's runs do not add up to its size", "encode the mask again", _NO_ANNOTATION
    RLE_DAMAGED = WARNING, "the RLE cannot be decoded", "encode the mask again", _NO_ANNOTATION
    RLE_EMPTY = WARNING, "the RLE has no pixel", "remove the annotation", _NO_ANNOTATION
    AREA_INVALID = ERROR, "the area is not a number of square pixels", "take it from the mask", _FROM_MASK
    AREA_MISSING = NOTE, "there is no area", "nothing, it is counted from the mask"
    AREA_DISAGREES = (
        NOTE,
        "the area is not that of the mask",
        "take it from the mask: AP of small, medium and large objects goes by it",
        _FROM_MASK,
    )

    def __init__(self, severity: Severity, meaning: str, advice: str, fix: str = "") -> None:
        self.severity = severity
        self.meaning = meaning
        """The main part of a sentence."""
        self.advice = advice
        self.fix = fix
        """What fix=true does, after that name; empty if only a person can decide."""

    @property
    def slug(self) -> str:
        """The name in reports, as `box-empty`."""
        return self.name.lower().replace("_", "-")
