/* SPDX-License-Identifier: MIT */
#include "maxvol.h"

#include <math.h>

static const double LEAST_GAIN = 1.001; /* of the determinant by an exchange */
enum { MOST_EXCHANGES = 1000 };

/* ---- An orthonormal basis: Householder reflections, with the signs of LAPACK's geqrf and orgqr ---- */

/* Reflect columns from `first` on by H = I - factor v v', v = (1, column `pivot` below the diagonal). */
static void reflect(int n_rows, int n_columns, double *matrix, int pivot, double factor, int first)
{
    for (int column = first; column < n_columns; column++) {
        double sum = matrix[pivot * n_columns + column];
        for (int row = pivot + 1; row < n_rows; row++)
            sum += matrix[row * n_columns + pivot] * matrix[row * n_columns + column];
        sum *= factor;
        matrix[pivot * n_columns + column] -= sum;
        for (int row = pivot + 1; row < n_rows; row++)
            matrix[row * n_columns + column] -= sum * matrix[row * n_columns + pivot];
    }
}

/* The reflection that makes a column zero below the diagonal: v stays there, its factor is returned. */
static double find_reflection(int n_rows, int n_columns, double *matrix, int pivot)
{
    double *diagonal = &matrix[pivot * n_columns + pivot], below = 0;
    for (int row = pivot + 1; row < n_rows; row++)
        below += matrix[row * n_columns + pivot] * matrix[row * n_columns + pivot];
    if (below == 0)
        return 0;
    const double length = -copysign(sqrt(*diagonal * *diagonal + below), *diagonal);
    const double factor = (length - *diagonal) / length;
    for (int row = pivot + 1; row < n_rows; row++)
        matrix[row * n_columns + pivot] /= *diagonal - length;
    return factor;
}

/* The product of all reflections, from the last to the first, in the place of their vectors. */
static void expand_reflection(int n_rows, int n_columns, double *matrix, int pivot, double factor)
{
    reflect(n_rows, n_columns, matrix, pivot, factor, pivot + 1);
    for (int row = 0; row < n_rows; row++) {
        double *element = &matrix[row * n_columns + pivot];
        *element = row < pivot ? 0 : row == pivot ? 1 - factor : -factor * *element;
    }
}

/* The diagonal keeps the factors: what stands above it is not needed. */
static void make_orthonormal(int n_rows, int n_columns, double *matrix)
{
    for (int pivot = 0; pivot < n_columns; pivot++) {
        const double factor = find_reflection(n_rows, n_columns, matrix, pivot);
        reflect(n_rows, n_columns, matrix, pivot, factor, pivot + 1);
        matrix[pivot * n_columns + pivot] = factor;
    }
    for (int pivot = n_columns - 1; pivot >= 0; pivot--)
        expand_reflection(n_rows, n_columns, matrix, pivot, matrix[pivot * n_columns + pivot]);
}

/* ---- The choice of rows ---- */

/* Multiply from the right so that row `row` becomes the unit vector of `column`. */
static void make_unit_row(int n_rows, int n_columns, double *matrix, int row, int column)
{
    const double pivot = matrix[row * n_columns + column];
    for (int i = 0; i < n_rows; i++)
        matrix[i * n_columns + column] /= pivot;
    for (int other = 0; other < n_columns; other++) {
        const double factor = other == column ? 0 : matrix[row * n_columns + other];
        for (int i = 0; i < n_rows; i++)
            matrix[i * n_columns + other] -= factor * matrix[i * n_columns + column];
    }
}

/* Pivots as of an elimination with row exchanges; the chosen rows become unit vectors. */
static void choose_pivots(int n_rows, int n_columns, double *matrix, int *order, int *rows)
{
    for (int i = 0; i < n_rows; i++)
        order[i] = i;
    for (int column = 0; column < n_columns; column++) {
        int best = column;
        for (int i = column + 1; i < n_rows; i++)
            if (fabs(matrix[order[i] * n_columns + column]) > fabs(matrix[order[best] * n_columns + column]))
                best = i;
        rows[column] = order[best];
        order[best] = order[column];
        order[column] = rows[column];
        make_unit_row(n_rows, n_columns, matrix, rows[column], column);
    }
}

void maxvol_choose(int n_rows, int n_columns, double *matrix, int *order, int *rows)
{
    make_orthonormal(n_rows, n_columns, matrix);
    choose_pivots(n_rows, n_columns, matrix, order, rows);
    for (int exchange = 0; exchange < MOST_EXCHANGES; exchange++) {
        int largest = 0;
        for (int i = 1; i < n_rows * n_columns; i++)
            if (fabs(matrix[i]) > fabs(matrix[largest]))
                largest = i;
        if (!(fabs(matrix[largest]) > LEAST_GAIN))
            return;
        rows[largest % n_columns] = largest / n_columns;
        make_unit_row(n_rows, n_columns, matrix, largest / n_columns, largest % n_columns);
    }
}
