"""CatBoost's C++ library, libcatboostmodel.so, by its C interface (`catboost/libs/model_interface/c_api.h`)."""

import ctypes


class Library:
    """A model, loaded by the library."""

    def __init__(self, library, model):
        self.api = ctypes.CDLL(library)
        self.api.ModelCalcerCreate.restype = ctypes.c_void_p
        self.api.GetErrorString.restype = ctypes.c_char_p
        self.api.LoadFullModelFromFile.restype = ctypes.c_bool
        self.api.CalcModelPredictionText.restype = ctypes.c_bool
        self.handle = ctypes.c_void_p(self.api.ModelCalcerCreate())
        self.check(self.api.LoadFullModelFromFile(self.handle, model.encode()))

    def check(self, succeeded):
        if not succeeded:
            raise SystemExit(f"CATBOOST_LIB: {self.api.GetErrorString().decode()}")

    def predict(self, rows, cats, texts):
        """A call that computes the raw values of rows, given as flat lists with `cats` and `texts` the indices of those
        features; it returns them. All that C needs is made beforehand: the call is the library's, and what ctypes takes
        to make one."""
        floats = [index for index in range(len(rows[0])) if index not in cats and index not in texts]
        matrices = []
        for indices, kind, convert in (
            (floats, ctypes.c_float, float), (cats, ctypes.c_char_p, str.encode), (texts, ctypes.c_char_p, str.encode)
        ):
            lines = [(kind * len(indices))(*(convert(row[index]) for index in indices)) for row in rows]
            pointers = (ctypes.POINTER(kind) * len(rows))(*(ctypes.cast(line, ctypes.POINTER(kind)) for line in lines))
            matrices += [pointers, ctypes.c_size_t(len(indices))]
        result = (ctypes.c_double * len(rows))()
        count = ctypes.c_size_t(len(rows))
        function, handle = self.api.CalcModelPredictionText, self.handle

        def call():
            self.check(function(handle, count, *matrices, result, count))
            return result

        return call
